"""The running product as the driver meets it: away now and then, and asked again until it answers.

Nothing in here judges; what must never happen is told to `Findings`.
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

PATIENCE_SECONDS = 120.0
AGAIN_SECONDS = 0.3
AWAY = (OSError, http.client.HTTPException, ValueError)


class NoAnswer(Exception):
    """The product did not answer within a time in which it must."""


@dataclass(frozen=True)
class Finding:
    """A violation, when it was seen (Unix time), and what led to it."""

    what: str
    at: float
    account: Account | None
    notes: str


class Findings:
    """What is wrong, each thing once; any thread may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Finding] = {}

    def add(self, what: str, account: Account | None = None, notes: str = "") -> None:
        """A violation, of an organization or of the product as a whole."""
        if account is not None:
            what = f"organization {account.id}: {what}"
            notes = "\n".join(f"    {note}" for note in list(account.notes)[-25:])
        with self._lock:
            self._found.setdefault(what, Finding(what, time.time(), account, notes))

    def all(self) -> list[Finding]:
        """Each of them, in the order in which they were seen."""
        with self._lock:
            return list(self._found.values())


class Product:
    """The application, with what the driver needs of it."""

    def __init__(self, application: Application, findings: Findings) -> None:
        self.application = application
        self.findings = findings
        self.replaced = 0  # logins that found their device live elsewhere, of simulators that ended
        self.stops: list[tuple[int | None, float]] = []  # exit status and seconds of clean stops

    @property
    def simulator(self) -> ControlClient:
        """The control API. Raises ControlError while it is away."""
        try:
            return self.application.simulator
        except (OSError, ValueError, KeyError) as error:
            raise ControlError(0, f"no simulator: {error}") from error

    def ask(self, method: str, organization: int, action: str) -> tuple[Answer, int]:
        """One request, again until it is answered for good. Returns the answer and the tries."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        tries, last = 0, ""
        while time.monotonic() < deadline:
            tries += 1
            try:
                answer = self.application.api(method, organization, action, timeout=60)
            except AWAY as error:
                last = f"{type(error).__name__}: {error}"
            else:
                if not _to_be_repeated(answer):
                    return answer, tries
                last = f"{answer.status} {answer.body}"
            time.sleep(AGAIN_SECONDS)
        raise NoAnswer(f"{method} {action} of {organization}: {last}")

    def status(self, organization: int) -> dict[str, Any]:
        """The status that the API tells."""
        return self.ask("GET", organization, "status")[0].body

    def events(self, organization: int) -> Iterator[dict[str, Any]]:
        """The connection's whole history, the newest line first."""
        path: str | None = f"/api/v1/organizations/{organization}/events?kind=connection"
        while path:
            page = self.application.request("GET", path, timeout=60).body
            yield from page["results"]
            path = page["next"] and page["next"].removeprefix(self.application.url.rstrip("/"))

    def rows(self) -> dict[int, tuple[str, str]]:
        """State and reason of every connection, from the database file. Raises sqlite3.Error."""
        path = self.application.data_dir / "db.sqlite3"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2)) as database:
            found = database.execute(
                "SELECT organization_id, state, reason FROM connections_connection"
            )
            return {pk: (state, reason) for pk, state, reason in found}

    def kill(self) -> None:
        """kill -9 of web and supervisor; nothing of it may live on."""
        self._remember_replaced()
        try:
            self.application.kill()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self.findings.add("processes outlived kill -9 of web and supervisor", notes=str(error))
            self._sweep()

    def stop(self) -> None:
        """A clean stop."""
        self._remember_replaced()
        begun = time.monotonic()
        try:
            self.application.stop()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            self.findings.add("no clean stop in time", notes=f"{error}\n{self.log_end()}")
            self._sweep()
        assert self.application.process is not None
        self.stops.append((self.application.process.returncode, time.monotonic() - begun))

    def start(self) -> None:
        """Start it again. Raises AssertionError when it does not come up."""
        self.application.start()

    def errors(self) -> Counter[str]:
        """What the product's log calls errors, without what differs from time to time."""
        lines = self.application.log_text().splitlines()
        found = (line.partition(" ERROR ")[2] for line in lines if " ERROR " in line)
        return Counter(re.sub(r"\S+=\S+|\d+", "", line).strip() for line in found)

    def log_end(self) -> str:
        """The end of the product's log."""
        return self.application.log_text()[-1500:]

    def _remember_replaced(self) -> None:
        with suppress(ControlError):
            self.replaced += self.simulator.stats().get("replaced", 0)

    def _sweep(self) -> None:
        for pid in self.application.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.application.process is not None
        self.application.process.wait(30)
        until(lambda: not self.application.processes(), 30, "no process left")


def _to_be_repeated(answer: Answer) -> bool:
    """Whether it does not tell if the request was written down, or tells that it was not."""
    code = answer.body.get("code", "error")
    away = answer.status >= 500 and code in ("error", "database_unavailable")
    return away or code == "superseded"
