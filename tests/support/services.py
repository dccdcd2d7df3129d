"""PostgreSQL and Redis for the tests: real servers, started here, on free ports on loopback."""

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
# Below where Linux (and macOS) begin to take ports for connections.
PORTS = range(15_000, 32_000)
# Where Debian and Fedora keep what is not on PATH.
POSTGRES_HOMES = ("/usr/lib/postgresql", "/usr/pgsql")


class Missing(Exception):
    """A server that the tests need is not installed; the text says which."""


def free_port() -> int:
    """A port on loopback that no one has at this moment.

    Not one of those that the system gives to connections, as it might before we listen.
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
    raise Missing(f"PostgreSQL's {name} is not installed; on Debian: apt-get install postgresql")


def redis_program() -> str:
    """The path of the Redis server (or Valkey's). Raises Missing."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise Missing("redis-server is not installed; on Debian: apt-get install redis-server")
    return found


class Server:
    """A server in a folder of its own; as a context manager it is ended at the end."""

    name = ""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        # Short, as a path of a socket must be, and open to the user that PostgreSQL runs as.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.log = self.folder / "log.txt"

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> Self:
        """Start it and wait until it answers. Raises AssertionError with the end of its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A test that is interrupted by Ctrl-C ends it in order.
                start_new_session=True,
            )
        self._until(self.answers)
        return self

    def _until(self, look: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not look():
            told = self.log.read_text()[-2000:] if self.log.exists() else ""
            assert self.process is not None and self.process.poll() is None, told
            assert time.monotonic() < deadline, f"{self.name} does not answer:\n{told}"
            time.sleep(0.05)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; `start` begins it anew on the same port and data."""
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
    """A PostgreSQL without a password, for whoever reaches its port on loopback."""

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
        """An empty database. Returns its URL."""
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
            [*as_owner(), *initialise, "--username", self.name, "--no-sync", "--encoding", "UTF8"],
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
            # The tests' data is thrown away; a killed server still finds what it had committed.
            "fsync": "off",
            "max_connections": "300",
            **self._settings,
        }
        given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = [postgres_program("postgres"), "-D", str(self._data), *given]
        return [*as_owner(), *with_us(), *server]

    def answers(self) -> bool:
        import psycopg

        try:
            self.sql("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


class Redis(Server):
    """A Redis that keeps nothing on disk."""

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
            *with_us(),
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


def with_us() -> list[str]:
    """A server that ends when the process that started it does, even by kill -9."""
    return ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []


def as_owner() -> list[str]:
    """PostgreSQL refuses to run as root: what to put before its commands then."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


def main(command: list[str]) -> int:
    """Run a command with DATABASE_URL and REDIS_URL of servers that live as long as it does."""
    try:
        with Postgres() as postgres, Redis() as redis:
            environment = {**os.environ, "DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
            return subprocess.run(command, env=environment).returncode
    except Missing as missing:
        print(f"services: {missing}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
