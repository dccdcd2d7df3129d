"""An installation with several web processes and workers."""

from __future__ import annotations

import http.client
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from simulator import process as simulator_process
from tests.support import migrated_database
from tests.support.application import Answer, ask
from tests.support.managed_process import ROOT, ManagedProcess, until
from tests.support.qr_reading import read_url
from tests.support.services import Postgres, Redis, free_port

START_SECONDS = 60.0
PARALLEL_LINKS = 6
# A copy of connections/worker/balancing.py, which needs Django's settings.
SLACK_PART = 0.1


class Member(ManagedProcess):
    """A process of the installation. A stopping worker hands over its organizations."""

    stop_seconds = 90.0

    def __init__(
        self, cluster: Cluster, name: str, *command: str, prefix: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        folder = cluster.folder / name
        environment = {**cluster.environment, "DATA_DIR": str(folder)}
        super().__init__(folder, command, environment, prefix)


class Web(Member):
    """A web process without a worker."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.port = free_port()
        super().__init__(cluster, name, "serve", "--port", str(self.port))
        self._token = cluster.token

    def answers(self) -> bool:
        try:
            return self.request("GET", "/api/v1/organizations", timeout=2).status == 200
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def request(self, method: str, path: str, timeout: float = 30.0) -> Answer:
        """Call the API."""
        return ask(self.port, method, path, self._token, timeout)

    def socket(self, organization: int) -> ClientConnection:
        """Open the WebSocket of an organization's page."""
        url = f"ws://127.0.0.1:{self.port}/ws/organizations/{organization}/connection/"
        return connect(url, additional_headers={"Authorization": f"Bearer {self._token}"})

    def whatsapp(self, method: str, organization: int, action: str) -> Answer:
        """Call `/api/v1/organizations/{organization}/whatsapp/{action}`."""
        return self.request(method, f"/api/v1/organizations/{organization}/whatsapp/{action}")


class Cluster:
    """An installation. A context manager that ends all its processes."""

    postgres_settings: ClassVar[Mapping[str, str]] = {}

    def __init__(self, folder: Path, webs: int, workers: int, **environment: str) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._counts = (webs, workers)
        self._extra_environment = environment
        self.environment: dict[str, str] = {}
        self.token = ""
        self.webs: list[Web] = []
        self.workers: list[Member] = []
        self.organizations: list[int] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.postgres = stack.enter_context(Postgres(**self.postgres_settings))
            self.redis = stack.enter_context(Redis())
            state = self.folder / "simulator"
            self._simulator = stack.enter_context(
                simulator_process.start(state, parent_pid=os.getpid())
            )
            self.simulator = self._simulator.control
            self.environment = {
                **os.environ,
                "DATABASE_URL": self.postgres.url,
                "REDIS_URL": self.redis.url,
                "SECRET_KEY": secrets.token_urlsafe(60),
                "EMBEDDED_WORKER": "false",
                "WHATSAPP_SERVER": "simulator",
                "SIMULATOR_STATE": str(state / "simulator.json"),
                "RECONNECTS_PER_CALLER": "100000",
                **self._extra_environment,
            }
            stack.callback(self._end)
            migrated_database.fill_postgres(self.postgres.url)
            self.token = self._make_token()
            webs, workers = self._counts
            for _ in range(webs):
                self.add_web()
            for _ in range(workers):
                self.add_worker()
            for web in self.webs:
                until(web.answers, START_SECONDS, f"{web.name} answers:\n{web.log_text()[-2000:]}")
            self.wait_for_workers(workers)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _end(self) -> None:
        for member in (*self.webs, *self.workers):
            member.kill_all()

    def add_web(self) -> Web:
        web = Web(self, f"web-{len(self.webs) + 1}")
        self.webs.append(web)
        web.start()
        return web

    def add_worker(self, prefix: tuple[str, ...] = ()) -> Member:
        """Start a worker. `prefix`: a command before its own, which must end in exec."""
        worker = Member(self, f"worker-{len(self.workers) + 1}", "run_worker", prefix=prefix)
        self.workers.append(worker)
        worker.start()
        return worker

    @property
    def simulator_ports(self) -> list[int]:
        """Return the loopback ports of the simulator."""
        return [urlsplit(self._simulator.proxy_url).port or 0]

    def wait_for_workers(self, count: int, seconds: float = START_SECONDS) -> None:
        """Wait until `count` workers are alive."""
        until(lambda: len(self.living()) == count, seconds, f"{count} living workers")

    def manage(self, *arguments: str) -> str:
        """Run a management command. Returns what it printed."""
        folder = self.folder / "commands"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, "DATA_DIR": str(folder)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout

    def _make_token(self) -> str:
        self.environment["DJANGO_SUPERUSER_PASSWORD"] = secrets.token_urlsafe(12)
        self.manage(
            *("createsuperuser", "--noinput", "--username", "admin", "--email", "a@example.com")
        )
        scopes = ("manage", "messages:send", "messages:read")
        named = [f"--scope={scope}" for scope in scopes]
        return self.manage("create_token", "admin", "scale", *named).split()[-1]

    # --- Queries ---------------------------------------------------------------------------------

    def living(self) -> list[dict[str, Any]]:
        """Return id, name and sessions of the living workers."""
        rows = self.postgres.sql(
            "SELECT id, name, sessions FROM connections_worker WHERE stopped_at IS NULL"
            " AND heartbeat_at > now() - interval '10 seconds' ORDER BY id"
        )
        return [dict(zip(("id", "name", "sessions"), row, strict=True)) for row in rows]

    def owners(self) -> dict[int, int | None]:
        """Return the worker of each organization that should be connected."""
        rows = self.postgres.sql(
            "SELECT organization_id, worker_id FROM connections_connection"
            " WHERE desired = 'connected'"
        )
        return {int(str(row[0])): row[1] for row in rows}  # type: ignore[misc]

    def states(self) -> dict[str, int]:
        """Return the number of organizations by stored state."""
        rows = self.postgres.sql("SELECT state, count(*) FROM connections_connection GROUP BY 1")
        return {str(state): int(str(count)) for state, count in rows}

    def settled(self) -> bool:
        """Return whether all are connected in the database and online at WhatsApp."""
        connected = self.states().get("connected", 0) == len(self.organizations)
        owners = self.owners().values()
        living = {worker["id"] for worker in self.living()}
        return connected and set(owners) <= living and self.online() == len(self.organizations)

    def at_rest(self) -> bool:
        """Return whether it is settled and balanced."""
        owned = Counter(self.owners().values())
        loads = [owned[worker["id"]] for worker in self.living()]
        fair = -(-len(self.organizations) // max(1, len(loads)))
        slack = max(1, int(fair * SLACK_PART))
        even = all(abs(load - fair) <= slack for load in loads)
        return self.settled() and (even or all(load <= fair for load in loads))

    def online(self) -> int:
        """Return the number of online devices."""
        return int(self.simulator.stats()["online"])

    def worker_of(self, member: Member) -> int:
        """Return the id of a living worker's row."""
        suffix = f":{member.pid}"
        return next(int(row["id"]) for row in self.living() if row["name"].endswith(suffix))

    # --- Actions ---------------------------------------------------------------------------------

    def link(self, count: int, parallel: int = PARALLEL_LINKS) -> None:
        """Create and link organizations, some in parallel, over all web processes."""
        names = [f"Client {len(self.organizations) + n + 1}" for n in range(count)]
        fresh = [int(line) for line in self.manage("create_organization", *names).split()]
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(self.link_one, fresh))
        self.organizations += fresh

    def link_one(self, organization: int) -> None:
        web = self.webs[organization % len(self.webs)]
        picture: list[str] = []

        def has_code() -> bool:
            answer = web.whatsapp("POST", organization, "reconnect")
            assert answer.status in (200, 202), answer
            picture[:] = [answer.body.get("qrCode") or ""]
            return bool(picture[0])

        until(has_code, 60, f"a QR code of {organization}")
        self.simulator.scan(read_url(picture[0]))
        until(
            lambda: web.whatsapp("GET", organization, "status").body["state"] == "connected",
            60,
            f"{organization} connected",
        )
