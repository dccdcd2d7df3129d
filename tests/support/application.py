"""The whole product in a separate process: `manage.py run`.

Tests and benchmarks use it over HTTP, and the simulator by its control API.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from simulator.client import ControlClient
from tests.support import migrated_database
from tests.support.managed_process import ROOT, ManagedProcess, processes_of, until
from tests.support.services import free_port
from whatsapp_orgs.tests.support import isolation

# Most tests need these together.
__all__ = ["ROOT", "Answer", "Application", "ask", "free_port", "processes_of", "until"]

START_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """A response of the API."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    seconds: float


def unique_name(data_dir: Path) -> str:
    """Return a name for the database and Redis keys of a data folder on shared servers."""
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
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request to loopback on a new connection.

    Raises ValueError if the body is no JSON; without `json_only` the body is {} then.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    sent_headers = {**(headers or {}), "Authorization": f"Bearer {token}"}
    if body is not None:
        sent_headers["Content-Type"] = "application/json"
    started_at = time.perf_counter()
    try:
        connection.request(method, path, None if body is None else json.dumps(body), sent_headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    seconds = time.perf_counter() - started_at
    is_json = response.getheader("Content-Type", "").startswith("application/json")
    decoded = json.loads(content) if json_only or is_json else {}
    return Answer(response.status, decoded, dict(response.getheaders()), seconds)


@dataclass(frozen=True)
class TestDatabase:
    """The database of a data folder on a shared PostgreSQL."""

    server: str
    name: str

    @property
    def url(self) -> str:
        return self._url_of(self.name)

    def create(self) -> None:
        """Create it with all tables, unless an earlier start has."""
        if not self._exists(self.name):
            statement = f"CREATE DATABASE {self.name} TEMPLATE {self.template()}"
            query_postgres(self.server, statement.encode())

    def template(self) -> str:
        """Return the name of a database with all tables on the same server."""
        return migrated_database.postgres_template(self._url_of, self._create)

    def _create(self, name: str) -> bool:
        """Create an empty database, and return True; False if it is there."""
        if self._exists(name):
            return False
        query_postgres(self.server, f"CREATE DATABASE {name}".encode())
        return True

    def _exists(self, name: str) -> bool:
        query = b"SELECT datname FROM pg_database WHERE datname = %s"
        return bool(query_postgres(self.server, query, name))

    def _url_of(self, name: str) -> str:
        return urlsplit(self.server)._replace(path=f"/{name}").geturl()

    def drop(self) -> None:
        query_postgres(self.server, f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)".encode())


def query_postgres(url: str, statement: bytes, *values: str) -> list[tuple[Any, ...]]:
    """Run one statement outside a transaction. Returns its rows."""
    import psycopg

    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


class Application(ManagedProcess):
    """A running product with a data folder. A context manager that stops it."""

    def __init__(self, data_dir: Path, prefix: tuple[str, ...] = (), **environment: str) -> None:
        full_environment = {
            **isolation.environment(data_dir),
            "WHATSAPP_SERVER": "simulator",
            "PORT": str(free_port()),
            **environment,
        }
        super().__init__(data_dir, ("run",), full_environment, prefix)
        # Shared servers, unless the test names its own.
        server = "" if "DATABASE_URL" in environment else os.environ.get("DATABASE_URL", "")
        name = unique_name(data_dir)
        self._database = TestDatabase(server, name) if server else None
        if self._database:
            self.environment["DATABASE_URL"] = self._database.url
        if not {"REDIS_URL", "REDIS_PREFIX"} & environment.keys():
            self.environment["REDIS_PREFIX"] = name
        self.facts: dict[str, Any] = {}

    def start(self) -> Self:
        """Start it and wait until it responds. Raises AssertionError with the end of its log."""
        self._create_tables()
        super().start()
        facts = self.data_dir / "run.json"

        def started() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended:\n{self.log_text()[-2000:]}"
            if not facts.exists() or json.loads(facts.read_text())["pid"] != self.process.pid:
                return False
            # The web server is ready shortly before its worker.
            return (self.data_dir / "worker.alive").exists()

        try:
            until(started, START_SECONDS, "run.json of a started application")
        except AssertionError:
            # No caller can stop it yet. Hosts and simulator end with it.
            assert self.process is not None
            self.process.kill()
            self.process.wait(self.stop_seconds)
            raise
        self.facts = json.loads(facts.read_text())
        return self

    def _create_tables(self) -> None:
        """Give a first start its tables, which it would take long to create."""
        url = self.environment.get("DATABASE_URL", "")
        if self._database:
            self._database.create()
        elif not url:
            migrated_database.copy_sqlite(self.data_dir)
        elif not query_postgres(
            url, b"SELECT 1 FROM pg_tables WHERE tablename = 'django_migrations'"
        ):
            migrated_database.fill_postgres(url)

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    @property
    def simulator(self) -> ControlClient:
        """Return the simulator's control API."""
        described = json.loads((self.data_dir / "simulator" / "simulator.json").read_text())
        return ControlClient(described["control_url"])

    def organization(self, number: int = 0) -> int:
        """Return the id of a demo organization."""
        return int(sorted(found["id"] for found in self.facts["organizations"])[number])

    def new_organizations(self, *names: str) -> list[int]:
        """Create organizations. Returns their ids."""
        answers = [
            self.request("POST", "/api/v1/organizations", body={"name": name}) for name in names
        ]
        assert all(answer.status == 201 for answer in answers), answers
        return [answer.body["id"] for answer in answers]

    def manage(self, *arguments: str) -> str:
        """Run another management command on the same data. Returns what it printed."""
        completed = subprocess.run(
            [*self._prefix, sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return completed.stdout

    def api(
        self,
        method: str,
        organization: int,
        action: str,
        timeout: float = 30,
        token: str = "",
        body: dict[str, Any] | None = None,
    ) -> Answer:
        """Call `/api/v1/organizations/{organization}/whatsapp/{action}`."""
        path = f"/api/v1/organizations/{organization}/whatsapp/{action}"
        return self.request(method, path, timeout, token, body)

    def request(
        self,
        method: str,
        path: str,
        timeout: float = 30,
        token: str = "",
        body: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the API at any path."""
        port = urlsplit(self.url).port
        assert port is not None
        used = token or self.facts["token"]
        return ask(port, method, path, used, timeout, body, headers=headers)

    def wait_for_state(self, organization: int, state: str, seconds: float = 15) -> dict[str, Any]:
        """Wait for a state. Returns the status."""

        def get_status() -> dict[str, Any] | None:
            body = self.api("GET", organization, "status").body
            return body if body["state"] == state else None

        found: dict[str, Any] = until(get_status, seconds, f"state {state}")
        return found

    def has_credentials(self, organization: int) -> bool:
        """Return whether the organization has credentials, in its folder or in schemas."""
        if (self.data_dir / "auth_sessions" / str(organization)).exists():
            return True
        url = self.environment.get("DATABASE_URL", "")
        found = b"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)"
        return bool(url and query_postgres(url, found, f"wa_{organization}_"))

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
