"""The running product for the driver: requests are retried until it responds.

Violations are only collected here, in `Findings`.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from simulator.client import ControlClient, ControlError
from tests.chaos.accounts import Account
from tests.support.application import Answer, Application, until

TIMEOUT_SECONDS = 120.0
RETRY_SECONDS = 0.3
UNAVAILABLE_ERRORS = (OSError, http.client.HTTPException, ValueError)


class NoAnswer(Exception):
    """The product did not respond within TIMEOUT_SECONDS."""


@dataclass(frozen=True)
class Finding:
    """A violation, its time (Unix time), and the notes before it."""

    what: str
    at: float
    account: Account | None
    notes: str


class Findings:
    """Collects violations without duplicates. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Finding] = {}

    def add(self, what: str, account: Account | None = None, notes: str = "") -> None:
        """Add a violation of an organization, or of the whole product."""
        if account is not None:
            what = f"organization {account.id}: {what}"
            notes = "\n".join(f"    {note}" for note in list(account.notes)[-25:])
        with self._lock:
            self._found.setdefault(what, Finding(what, time.time(), account, notes))

    def all(self) -> list[Finding]:
        """Return all violations in order."""
        with self._lock:
            return list(self._found.values())


class Product:
    """Wraps the application for the driver."""

    def __init__(self, application: Application, findings: Findings) -> None:
        self.application = application
        self.findings = findings
        self.replaced = 0  # logins that found their device live elsewhere, of simulators that ended
        self.stops: list[tuple[int | None, float]] = []  # exit status and seconds of clean stops

    @property
    def simulator(self) -> ControlClient:
        """Return the control API. Raises ControlError while the simulator is down."""
        try:
            return self.application.simulator
        except (OSError, ValueError, KeyError) as error:
            raise ControlError(0, f"no simulator: {error}") from error

    def request(self, method: str, organization: int, action: str) -> tuple[Answer, int]:
        """Repeat a request until it gets a final response. Returns it and the attempts."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        attempts, last = 0, ""
        while time.monotonic() < deadline:
            attempts += 1
            try:
                answer = self.application.api(method, organization, action, timeout=60)
            except UNAVAILABLE_ERRORS as error:
                last = f"{type(error).__name__}: {error}"
            else:
                if not _should_retry(answer):
                    return answer, attempts
                last = f"{answer.status} {answer.body}"
            time.sleep(RETRY_SECONDS)
        raise NoAnswer(f"{method} {action} of {organization}: {last}")

    def status(self, organization: int) -> dict[str, Any]:
        """Return the status."""
        return self.request("GET", organization, "status")[0].body

    def events(self, organization: int) -> Iterator[dict[str, Any]]:
        """Yield the connection's whole history, the newest event first."""
        path: str | None = f"/api/v1/organizations/{organization}/events?kind=connection"
        while path:
            page = self.application.request("GET", path, timeout=60).body
            yield from page["results"]
            path = page["next"] and page["next"].removeprefix(self.application.url.rstrip("/"))

    def rows(self) -> dict[int, tuple[str, str]]:
        """Return state and reason of each connection in the database. Raises sqlite3.Error."""
        path = self.application.data_dir / "db.sqlite3"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2)) as database:
            found = database.execute(
                "SELECT organization_id, state, reason FROM connections_connection"
            )
            return {pk: (state, reason) for pk, state, reason in found}

    def kill(self) -> None:
        """Kill the product; it is a violation if a process survives."""
        self._remember_replaced()
        try:
            self.application.kill()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self.findings.add("processes outlived kill -9 of web and supervisor", notes=str(error))
            self._kill_all()

    def stop(self) -> None:
        """Stop the product regularly."""
        self._remember_replaced()
        started = time.monotonic()
        try:
            self.application.stop()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self.findings.add("no clean stop in time", notes=f"{error}\n{self.log_end()}")
            self._kill_all()
        assert self.application.process is not None
        self.stops.append((self.application.process.returncode, time.monotonic() - started))

    def start(self) -> None:
        """Start it again. Raises AssertionError when it does not come up."""
        self.application.start()

    def error_counts(self) -> Counter[str]:
        """Count the error lines of the log, without their fields and numbers."""
        lines = self.application.log_text().splitlines()
        found = (line.partition(" ERROR ")[2] for line in lines if " ERROR " in line)
        return Counter(re.sub(r"\S+=\S+|\d+", "", line).strip() for line in found)

    def log_end(self) -> str:
        """Return the end of the product's log."""
        return self.application.log_text()[-1500:]

    def _remember_replaced(self) -> None:
        with suppress(ControlError):
            self.replaced += self.simulator.stats().get("replaced", 0)

    def _kill_all(self) -> None:
        for pid in self.application.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.application.process is not None
        self.application.process.wait(30)
        until(lambda: not self.application.processes(), 30, "no process left")


def _should_retry(answer: Answer) -> bool:
    """Return whether the request may have had no effect."""
    code = answer.body.get("code", "error")
    away = answer.status >= 500 and code in ("error", "database_unavailable")
    return away or code == "superseded"
