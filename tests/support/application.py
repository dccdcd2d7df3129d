"""The whole product as its users have it: `manage.py run` in a process of its own.

Tests and benchmarks drive it from outside, over HTTP, and the simulator by its control API.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from simulator.client import ControlClient
from tests.support.managed_process import ROOT, ManagedProcess, processes_of, until
from tests.support.services import free_port
from whatsapp_orgs.tests.support import isolation

# What most need together is found in one place.
__all__ = ["ROOT", "Answer", "Application", "ask", "free_port", "processes_of", "until"]

START_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    seconds: float


def own_name(data_dir: Path) -> str:
    """What goes with a data folder is called so, on servers that others use too."""
    digest = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()
    return f"application_{digest[:12]}"


def ask(
    port: int,
    method: str,
    path: str,
    token: str,
    timeout: float = 30,
    body: dict[str, Any] | None = None,
    json_only: bool = True,
) -> Answer:
    """One call of an API on loopback, on a connection of its own.

    Raises ValueError when the answer is no JSON; without `json_only` its body is left out then.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    begun = time.perf_counter()
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        read = response.read()
    finally:
        connection.close()
    seconds = time.perf_counter() - begun
    is_json = response.getheader("Content-Type", "").startswith("application/json")
    told = json.loads(read) if json_only or is_json else {}
    return Answer(response.status, told, dict(response.getheaders()), seconds)


@dataclass(frozen=True)
class OwnDatabase:
    """On a PostgreSQL server that others use too, the database that goes with a data folder."""

    server: str
    name: str

    @property
    def url(self) -> str:
        return urlsplit(self.server)._replace(path=f"/{self.name}").geturl()

    def create(self) -> None:
        """Unless it is there already, as after an earlier start."""
        known = b"SELECT datname FROM pg_database WHERE datname = %s"
        if not ask_postgres(self.server, known, self.name):
            ask_postgres(self.server, f"CREATE DATABASE {self.name}".encode())

    def drop(self) -> None:
        ask_postgres(self.server, f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)".encode())


def ask_postgres(url: str, statement: bytes, *values: str) -> list[tuple[Any, ...]]:
    """Run one statement outside a transaction. Returns its rows."""
    import psycopg

    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


class Application(ManagedProcess):
    """A running product on a data folder; as a context manager it is stopped at the end."""

    def __init__(self, data_dir: Path, prefix: tuple[str, ...] = (), **environment: str) -> None:
        whole = {
            **isolation.environment(data_dir),
            "WHATSAPP_SERVER": "simulator",
            "PORT": str(free_port()),
            **environment,
        }
        super().__init__(data_dir, ("run",), whole, prefix)
        # On servers that others use too; those that a test names are its own affair.
        server = "" if "DATABASE_URL" in environment else os.environ.get("DATABASE_URL", "")
        name = own_name(data_dir)
        self._database = OwnDatabase(server, name) if server else None
        if self._database:
            self.environment["DATABASE_URL"] = self._database.url
        if not {"REDIS_URL", "REDIS_PREFIX"} & environment.keys():
            self.environment["REDIS_PREFIX"] = name
        self.facts: dict[str, Any] = {}

    def start(self) -> Self:
        """Start it and wait until it answers. Raises AssertionError with the end of its log."""
        if self._database:
            self._database.create()
        super().start()
        facts = self.data_dir / "run.json"

        def started() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended:\n{self.log_text()[-2000:]}"
            if not facts.exists() or json.loads(facts.read_text())["pid"] != self.process.pid:
                return False
            # The web server answers a moment before its worker has registered.
            return (self.data_dir / "worker.alive").exists()

        try:
            until(started, START_SECONDS, "run.json of a started application")
        except AssertionError:
            # Nobody has it in hand yet who would end it: hosts and simulator end with it.
            assert self.process is not None
            self.process.kill()
            self.process.wait(self.stop_seconds)
            raise
        self.facts = json.loads(facts.read_text())
        return self

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    @property
    def simulator(self) -> ControlClient:
        """The simulator's control API."""
        described = json.loads((self.data_dir / "simulator" / "simulator.json").read_text())
        return ControlClient(described["control_url"])

    def organization(self, number: int = 0) -> int:
        """The id of one of the demo organizations."""
        return int(sorted(found["id"] for found in self.facts["organizations"])[number])

    def new_organizations(self, *names: str) -> list[int]:
        """Fresh organizations. Returns their ids."""
        done = self.manage("create_organization", *names)
        return [int(line) for line in done.split()]

    def manage(self, *arguments: str) -> str:
        """Run another management command on the same data. Returns what it printed."""
        done = subprocess.run(
            [*self._prefix, sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def api(
        self,
        method: str,
        organization: int,
        action: str,
        timeout: float = 30,
        token: str = "",
        body: dict[str, Any] | None = None,
    ) -> Answer:
        """One call of `/api/v1/organizations/{organization}/whatsapp/{action}`."""
        path = f"/api/v1/organizations/{organization}/whatsapp/{action}"
        return self.request(method, path, timeout, token, body)

    def request(
        self,
        method: str,
        path: str,
        timeout: float = 30,
        token: str = "",
        body: dict[str, Any] | None = None,
    ) -> Answer:
        """One call of the API, at any path."""
        port = urlsplit(self.url).port
        assert port is not None
        return ask(port, method, path, token or self.facts["token"], timeout, body)

    def wait_for_state(self, organization: int, state: str, seconds: float = 15) -> dict[str, Any]:
        """The status once the organization is in `state`."""

        def look() -> dict[str, Any] | None:
            body = self.api("GET", organization, "status").body
            return body if body["state"] == state else None

        found: dict[str, Any] = until(look, seconds, f"state {state}")
        return found

    def keeps_credentials(self, organization: int) -> bool:
        """Whether credentials of the organization lie anywhere: in its folder, or in schemas."""
        if (self.data_dir / "auth_sessions" / str(organization)).exists():
            return True
        url = self.environment.get("DATABASE_URL", "")
        found = b"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)"
        return bool(url and ask_postgres(url, found, f"wa_{organization}_"))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            if self._database:
                self._database.drop()
