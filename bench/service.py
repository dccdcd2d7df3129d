"""A service to measure: a process tree with a data folder, used over HTTP."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from bench.waiting import until
from simulator import process as simulator_process
from simulator.client import ControlClient
from tests.support.application import ROOT, Answer, ask, free_port, processes_of
from whatsapp_orgs.tests.support import isolation

START_SECONDS = 60.0
STOP_SECONDS = 20.0
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
"""Those of this machine; each service gets what its users set, and nothing else."""
TOKEN_RIGHTS = {"scope": "manage", "messageScopes": ["messages:send", "messages:read"]}


class Service(ABC):
    """Base class of the compared services, which have the same REST contract.

    Each has its own simulator, which survives a crash of the service. A context manager that starts
    the service and removes all its processes.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.ports = [free_port()]
        self.token = ""
        self.tokens: dict[int, str] = {}
        self.started: list[subprocess.Popen[bytes]] = []
        self.log = folder / "log.txt"
        self.simulator_folder = folder / "simulator"
        self.folder.mkdir(mode=0o700, parents=True)

    def __enter__(self) -> Self:
        self.simulator_server = simulator_process.start(self.simulator_folder)
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            print(f"\nThe log of {self.name} ends:\n{self.log_tail()}", file=sys.stderr)
        self.end()

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command of the service."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Return its additional environment variables."""

    @abstractmethod
    def prepare(self) -> None:
        """Prepare the data once before the first start, and set the token."""

    @property
    def simulator(self) -> ControlClient:
        """The control API of its simulator."""
        return self.simulator_server.control

    def environment(self) -> dict[str, str]:
        inherited = isolation.environment(self.folder)
        kept = {
            name: value for name, value in inherited.items() if name not in CERTIFICATE_VARIABLES
        }
        return {**kept, **self.settings()}

    @property
    def port(self) -> int:
        """The port that is asked next."""
        return self.ports[0]

    # --- The process ----------------------------------------------------------------------------

    def commands(self) -> list[tuple[list[str], dict[str, str]]]:
        """Return the command and the environment of each process that is started."""
        return [(self.command(), self.environment())]

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The first process that was started."""
        return self.started[0] if self.started else None

    def start(self) -> None:
        """Start it and wait until it responds. Raises AssertionError with the end of its log."""
        with self.log.open("ab") as log:
            self.started = [
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
                for command, environment in self.commands()
            ]
        for port in self.ports:
            until(partial(self._answers, port), START_SECONDS, f"an answer of {self.name}")

    def _answers(self, port: int) -> bool:
        ended = any(process.poll() is not None for process in self.started)
        assert not ended, f"{self.name} ended:\n{self.log_tail()}"
        with suppress(OSError, http.client.HTTPException):
            return ask(port, "GET", "/healthz", self.token, json_only=False).status < 500
        return False

    def kill(self) -> None:
        """Kill it with SIGKILL, and wait until all its processes have ended."""
        for process in self.started:
            process.kill()
        self._wait_until_ended("kill -9")

    def stop(self) -> None:
        """Stop it with SIGTERM, and wait until all its processes have ended."""
        running = [process for process in self.started if process.poll() is None]
        for process in running:
            process.terminate()
        if running:
            self._wait_until_ended("SIGTERM")

    def _wait_until_ended(self, why: str) -> None:
        for process in self.started:
            process.wait(STOP_SECONDS)
        until(lambda: not self.processes(), STOP_SECONDS, f"no process left after {why}")

    def end(self) -> None:
        """Stop it and its simulator, and kill remaining processes."""
        try:
            self.stop()
        finally:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.simulator_server.stop()

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def processes(self) -> set[int]:
        """Return the pids of all processes with this data folder."""
        return processes_of(self.folder)

    def all_processes(self) -> set[int]:
        """Return the pids of all processes that it needs, also of its database's server."""
        return self.processes()

    # --- The REST contract ----------------------------------------------------------------------

    def api(self, method: str, organization: int, action: str, timeout: float = 30) -> Answer:
        """Call `/api/v1/organizations/{organization}/whatsapp/{action}` with its own token."""
        token = self.tokens[organization]
        return self.request(method, path_of(organization, action), timeout, token=token)

    def request(
        self,
        method: str,
        path: str,
        timeout: float = 30,
        body: dict[str, Any] | None = None,
        token: str = "",
    ) -> Answer:
        """Send a request on a new connection, by default with the administrator's token."""
        used = token or self.token
        return ask(self.port, method, path, used, timeout, body, json_only=False)

    def new_organizations(self, count: int) -> list[int]:
        """Create organizations with a token of their own each. Returns their ids."""
        return [self._new_organization(f"Bench {number}") for number in range(count)]

    def many_organizations(self, count: int) -> list[int]:
        """Create organizations that nobody links, with tokens, as fast as the service can."""
        return self.new_organizations(count)

    def new_tokens(self, count: int) -> list[str]:
        """Create tokens that open every organization."""
        bodies = ({"name": f"bench {number}"} for number in range(count))
        return [self._created("/api/v1/tokens", body)["token"] for body in bodies]

    def _new_organization(self, name: str) -> int:
        number = int(self._created("/api/v1/organizations", {"name": name})["id"])
        path = f"/api/v1/organizations/{number}/tokens"
        self.tokens[number] = self._created(path, {"name": "bench", **TOKEN_RIGHTS})["token"]
        return number

    def _created(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.request("POST", path, body=body)
        assert answer.status == 201, answer
        return answer.body


def path_of(organization: int, action: str) -> str:
    """Return the path of an action of an organization's connection."""
    return f"/api/v1/organizations/{organization}/whatsapp/{action}"
