"""Start PostgreSQL and Redis for tests on free loopback ports."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

START_SECONDS = 30.0
STOP_SECONDS = 15.0
# Below the ephemeral ports of Linux and macOS.
PORTS = range(15_000, 32_000)
# Debian and Fedora install the programs here, not on PATH.
POSTGRES_HOMES = ("/usr/lib/postgresql", "/usr/pgsql")


class ServerNotInstalled(Exception):
    """A server is not installed; the message names it."""


def free_port() -> int:
    """Return a free loopback port.

    Not an ephemeral one, which the system could assign before we listen.
    """
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def postgres_program(name: str) -> str:
    """The path of one of PostgreSQL's programs, the newest there is. Raises Missing."""
    homes = (Path(home) for home in POSTGRES_HOMES)
    found = [path for home in homes for path in home.glob(f"*/bin/{name}")]
    newest = sorted(found, key=lambda path: float(path.parts[-3]))
    if newest:
        return str(newest[-1])
    if on_path := shutil.which(name):
        return on_path
    raise ServerNotInstalled(
        f"PostgreSQL's {name} is not installed; on Debian: apt-get install postgresql"
    )


def redis_program() -> str:
    """The path of the Redis server (or Valkey's). Raises Missing."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise ServerNotInstalled(
            "redis-server is not installed; on Debian: apt-get install redis-server"
        )
    return found


class Server:
    """A server with a folder. A context manager that ends it."""

    name = ""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        # A short path for sockets, which the user of PostgreSQL can open.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.log = self.folder / "log.txt"

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> Self:
        """Start it and wait until it responds. Raises AssertionError with the end of its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Not interrupted by Ctrl-C: the test ends it.
                start_new_session=True,
            )
        self._until(self.answers)
        return self

    def _until(self, look: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not look():
            log_tail = self.log.read_text()[-2000:] if self.log.exists() else ""
            assert self.process is not None and self.process.poll() is None, log_tail
            assert time.monotonic() < deadline, f"{self.name} does not answer:\n{log_tail}"
            time.sleep(0.05)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; `start` restarts it on the same port and data."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
        self.process = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """A PostgreSQL without a password on loopback."""

    name = "postgres"

    def __init__(self, **settings: str) -> None:
        super().__init__()
        self._settings = settings
        self._data = self.folder / "data"
        self._initialise()

    @property
    def url(self) -> str:
        return f"postgres://{self.name}@127.0.0.1:{self.port}/{self.name}"

    def new_database(self, name: str) -> str:
        """Create an empty database. Returns its URL."""
        self.sql(f'CREATE DATABASE "{name}"')
        return f"postgres://{self.name}@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside a transaction. Returns its rows."""
        import psycopg

        url = f"postgres://{self.name}@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return list(cursor.fetchall()) if cursor.description else []

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        initialise = [postgres_program("initdb"), "--pgdata", str(self._data), "--auth", "trust"]
        subprocess.run(
            [
                *as_postgres_user(),
                *initialise,
                "--username",
                self.name,
                "--no-sync",
                "--encoding",
                "UTF8",
            ],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            timeout=START_SECONDS * 2,
        )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            # Test data need not survive a crash of the machine.
            "fsync": "off",
            "max_connections": "300",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = [postgres_program("postgres"), "-D", str(self._data), *options]
        return [*as_postgres_user(), *end_with_parent(), *server]

    def answers(self) -> bool:
        import psycopg

        try:
            self.sql("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


class Redis(Server):
    """A Redis without persistence."""

    name = "redis"

    def __init__(self, password: str = "") -> None:
        super().__init__()
        self._password = password

    @property
    def url(self) -> str:
        login = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            *end_with_parent(),
            *(redis_program(), "--bind", "127.0.0.1", "--port", str(self.port)),
            *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
            *(("--requirepass", self._password) if self._password else ()),
        ]

    def answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            try:
                probe.connect(("127.0.0.1", self.port))
                probe.sendall(b"PING\r\n")
                return probe.recv(5) in (b"+PONG", b"-NOAU")
            except OSError:
                return False


def end_with_parent() -> list[str]:
    """Return a prefix that ends the server with its parent, even after SIGKILL."""
    return ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []


def as_postgres_user() -> list[str]:
    """Return a prefix that runs PostgreSQL as its user, because it refuses root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


def main(command: list[str]) -> int:
    """Run a command with DATABASE_URL and REDIS_URL of servers that live as long as it does."""
    try:
        with Postgres() as postgres, Redis() as redis:
            environment = {**os.environ, "DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
            return subprocess.run(command, env=environment).returncode
    except ServerNotInstalled as error:
        print(f"services: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
