"""This product: as `manage.py serve` runs it, and with the processes of a production."""

from __future__ import annotations

import itertools
import json
import secrets
import subprocess
import sys
from pathlib import Path

from bench.measure import with_children
from bench.service import Service
from tests.support import migrated_database
from tests.support.application import ROOT, free_port, processes_of
from tests.support.services import Postgres, Redis

PREPARE_SECONDS = 120


class Product(Service):
    """`manage.py serve` with the worker embedded."""

    name = "this product"
    manage_seconds: float = PREPARE_SECONDS

    def command(self) -> list[str]:
        return [sys.executable, "manage.py", "serve", "--port", str(self.port)]

    def settings(self) -> dict[str, str]:
        return {
            # Not WHATSAPP_SERVER=simulator, which spares Go the system's certificates: this is
            # how people set a proxy and a further CA.
            "WHATSAPP_SERVER": "live",
            **self.simulator_server.environment(),
            "WHATSAPP_NOISE_ROOT": self.simulator_server.noise_root.hex(),
            "DJANGO_SUPERUSER_PASSWORD": "of no use",
            # One caller requests hundreds of codes here; the peer has no limits.
            "RECONNECTS_PER_CALLER": "100000",
            "RECONNECTS_PER_ORGANIZATION": "1000",
            # The callers of all organizations have one address here.
            "CONNECTIONS_PER_ADDRESS": "1000",
        }

    def command_environment(self) -> dict[str, str]:
        """Return the environment of other management commands on the same data."""
        return self.environment()

    def prepare(self) -> None:
        if self.environment().get("DATABASE_URL"):
            self.manage("migrate", "--verbosity=0")
        else:
            migrated_database.copy_sqlite(self.folder)
        self.make_caller()

    def make_caller(self) -> None:
        """Create an administrator and a token."""
        self.manage("createsuperuser", "--noinput", "--username=bench", "--email=b@example.org")
        scopes = ("manage", "messages:send", "messages:read")
        named = [f"--scope={scope}" for scope in scopes]
        self.token = self.manage("create_token", "bench", "bench", "--personal", *named).strip()

    def many_organizations(self, count: int) -> list[int]:
        """Create organizations that nobody links, with tokens, by one command."""
        code = f"from bench import organizations_data; organizations_data.make({count})"
        lines = self.manage("shell", "-v0", "-c", code).splitlines()
        fresh = dict(json.loads(line) for line in lines if line.startswith("["))
        assert len(fresh) == count, lines[:5]
        self.tokens |= fresh
        return list(fresh)

    def manage(self, *arguments: str) -> str:
        """Run a management command on the same data. Return what it printed."""
        with self.log.open("ab") as log:
            done = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=self.command_environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=True,
                timeout=self.manage_seconds,
            )
        return done.stdout


class Production(Product):
    """Web processes and workers of their own with PostgreSQL and Redis, as deploy/compose.yaml.

    Requests go to the web processes in turns, as a proxy sends them. PostgreSQL keeps its data safe
    (fsync), and counts in the memory and the CPU. There is no proxy and no TLS.
    """

    name = "in production"
    webs, workers = 2, 2

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ports = [free_port() for _ in range(self.webs)]
        self._next_port = itertools.cycle(self.ports)
        self._secret = secrets.token_urlsafe(60)
        self._postgres: Postgres | None = None
        self._redis: Redis | None = None

    @property
    def port(self) -> int:
        return next(self._next_port)

    def settings(self) -> dict[str, str]:
        assert self._postgres is not None and self._redis is not None
        return {
            **super().settings(),
            "SECRET_KEY": self._secret,
            "DATABASE_URL": self._postgres.url,
            "REDIS_URL": self._redis.url,
            "EMBEDDED_WORKER": "false",
            "MEDIA_DIR": str(self.folder / "media"),
        }

    def command_environment(self) -> dict[str, str]:
        return {**self.environment(), "DATA_DIR": str(self.folder / "commands")}

    def commands(self) -> list[tuple[list[str], dict[str, str]]]:
        python = [sys.executable, "manage.py"]
        named = {f"web-{port}": [*python, "serve", "--port", str(port)] for port in self.ports}
        named |= {f"worker-{number}": [*python, "run_worker"] for number in range(self.workers)}
        environment = self.environment()
        return [
            (command, {**environment, "DATA_DIR": str(self.folder / name)})
            for name, command in named.items()
        ]

    def prepare(self) -> None:
        self._postgres = Postgres(fsync="on").__enter__()
        self._redis = Redis().__enter__()
        migrated_database.fill_postgres(self._postgres.url)
        self.make_caller()

    def processes(self) -> set[int]:
        if self._redis is None:
            return set()  # Its servers did not start.
        folders = {Path(environment["DATA_DIR"]) for _, environment in self.commands()}
        return set().union(*(processes_of(folder) for folder in folders))

    def all_processes(self) -> set[int]:
        servers = [server.process for server in (self._postgres, self._redis) if server]
        found = (with_children(process.pid) for process in servers if process)
        return self.processes().union(*found)

    def end(self) -> None:
        try:
            super().end()
        finally:
            for server in (self._postgres, self._redis):
                if server is not None:
                    server.__exit__(None, None, None)


class OneWeb(Production):
    """The same with one web process, to see what a second one adds."""

    name = "in production, one web process"
    webs = 1
