"""A service to measure: a process tree with a data folder, used over HTTP."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
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


class Service(ABC):
    """Base class of the compared services, which have the same REST contract.

    Each has its own simulator, which survives a crash of the service. A context manager that starts
    the service and removes all its processes.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.port = free_port()
        self.token = ""
        self.process: subprocess.Popen[bytes] | None = None
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
        return {**isolation.environment(self.folder), **self.settings()}

    # --- The process ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and wait until it responds. Raises AssertionError with the end of its log."""
        with self.log.open("ab") as log:
            self.process = process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def answers() -> bool:
            assert process.poll() is None, f"{self.name} ended:\n{self.log_tail()}"
            with suppress(OSError, http.client.HTTPException):
                return self.request("GET", "/healthz").status < 500
            return False

        until(answers, START_SECONDS, f"an answer of {self.name}")

    def kill(self) -> None:
        """Kill it with SIGKILL, and wait until all its processes have ended."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        until(lambda: not self.processes(), STOP_SECONDS, "no process left after kill -9")

    def stop(self) -> None:
        """Stop it with SIGTERM, and wait until all its processes have ended."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        self.process.wait(STOP_SECONDS)
        until(lambda: not self.processes(), STOP_SECONDS, "no process left after SIGTERM")

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

    # --- The REST contract ----------------------------------------------------------------------

    def api(self, method: str, organization: int, action: str, timeout: float = 30) -> Answer:
        """Call `/api/v1/organizations/{organization}/whatsapp/{action}`."""
        return self.request(method, path_of(organization, action), timeout)

    def request(
        self, method: str, path: str, timeout: float = 30, body: dict[str, Any] | None = None
    ) -> Answer:
        """Send a request on a new connection."""
        return ask(self.port, method, path, self.token, timeout, body, json_only=False)

    def new_organizations(self, count: int) -> list[int]:
        """Create organizations. Returns their ids."""
        return [self._new_organization(f"Bench {number}") for number in range(count)]

    def _new_organization(self, name: str) -> int:
        answer = self.request("POST", "/api/v1/organizations", body={"name": name})
        assert answer.status == 201, answer
        return int(answer.body["id"])


def path_of(organization: int, action: str) -> str:
    """Return the path of an action of an organization's connection."""
    return f"/api/v1/organizations/{organization}/whatsapp/{action}"
