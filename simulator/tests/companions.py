"""Helpers that start and control `neonize_companion.py`, by `companion_server.py`."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from queue import Empty, Queue
from typing import Any, TypedDict

from simulator.process import Simulator

ROOT = Path(__file__).resolve().parents[2]

START_SECONDS = 30.0
END_SECONDS = 5.0

Event = dict[str, Any]


class ForkServer:
    """Starts companions of a simulator by forks of `companion_server.py`."""

    def __init__(self, environment: tuple[tuple[str, str], ...]) -> None:
        self._control, other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(START_SECONDS)
        with other_end:
            command = [sys.executable, "-m", "simulator.tests.companion_server"]
            self._process = subprocess.Popen(
                [*command, str(other_end.fileno())],
                cwd=ROOT,
                # Go reads it from the process's start, so each simulator has its own server.
                env={**os.environ, **dict(environment)},
                stdin=subprocess.DEVNULL,
                pass_fds=[other_end.fileno()],
            )

    def fork(self, arguments: list[str], descriptors: list[int]) -> int:
        """Start a companion, and return its pid."""
        return int(self._ask({"fork": arguments}, descriptors))

    def poll(self, pid: int) -> int | None:
        """Return the exit code, None while it runs; once it is known, the pid is free."""
        code: int | None = self._ask({"poll": pid})
        return code

    def close(self) -> None:
        """End the server."""
        self._control.close()
        self._process.wait(END_SECONDS)

    def _ask(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> Any:
        message = json.dumps(request).encode()
        if descriptors:
            socket.send_fds(self._control, [message], descriptors)
        else:
            self._control.send(message)
        return json.loads(self._control.recv(64))


@cache
def fork_server(environment: tuple[tuple[str, str], ...]) -> ForkServer:
    """Return the server for a simulator's environment. It ends with this process."""
    server = ForkServer(environment)
    atexit.register(server.close)
    return server


class Companion:
    """A process that runs the real neonize with one client."""

    def __init__(self, simulator: Simulator, database: Path) -> None:
        self._server = fork_server(tuple(simulator.environment().items()))
        self._events: Queue[Event] = Queue()
        self.seen: list[Event] = []
        self._exit_code: int | None = None
        receiving, sending = os.pipe()
        commands, self._commands = os.pipe()
        with open(database.with_suffix(".log"), "ab") as log:
            descriptors = [commands, log.fileno(), sending]
            self._pid = self._server.fork([str(database), simulator.noise_root.hex()], descriptors)
        os.close(commands)
        os.close(sending)
        self._reader = threading.Thread(target=self._read, args=(receiving,), daemon=True)
        self._reader.start()

    def wait(self, name: str, seconds: float = 10.0, forbidden: tuple[str, ...] = ()) -> Event:
        """Return the next event with this name; earlier ones are added to `seen`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {name} in {seconds} s; seen: {self._names()}") from None
            self.seen.append(event)
            if event["event"] == name:
                return event
            assert event["event"] not in forbidden, f"{event} while waiting for {name}"

    def wait_all(self, name: str, count: int, seconds: float = 10.0) -> list[Event]:
        """Return the first events with this name, also earlier ones, when there are so many."""
        deadline = time.monotonic() + seconds
        while len(found := [event for event in self.seen if event["event"] == name]) < count:
            self.wait(name, max(0.0, deadline - time.monotonic()))
        return found[:count]

    def send_command(self, line: str) -> None:
        """Send a command."""
        os.write(self._commands, line.encode() + b"\n")

    def chat(self, do: str, **fields: Any) -> None:
        """Send a command about messages."""
        self.send_command(f"chat {json.dumps({'do': do, **fields})}")

    def send_text(self, to: str, text: str) -> str:
        """Send a text to a number or an address, and return its id."""
        self.chat("send", to=to, message={"conversation": text})
        return str(self.wait("sent", forbidden=("error",))["id"])

    def wait_for_end(self, seconds: float = END_SECONDS) -> int:
        """Return the exit code of the process once it has ended."""
        deadline = time.monotonic() + seconds
        while self._exit_code is None:
            self._exit_code = self._server.poll(self._pid)
            if self._exit_code is None:
                assert time.monotonic() < deadline, f"it runs for more than {seconds} s"
                time.sleep(0.01)
        return self._exit_code

    def kill(self) -> None:
        """End the process (SIGKILL)."""
        if self._exit_code is None:
            os.kill(self._pid, signal.SIGKILL)  # It keeps its pid until it is waited for.
        self.wait_for_end()
        os.close(self._commands)
        self._reader.join(5)

    def _names(self) -> list[str]:
        return [event["event"] for event in self.seen]

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor) as lines:
            for line in lines:
                self._events.put(json.loads(line))


@contextmanager
def companion(simulator: Simulator, database: Path) -> Iterator[Companion]:
    """Run a companion, and kill it at the end."""
    running = Companion(simulator, database)
    try:
        yield running
    finally:
        running.kill()


@contextmanager
def linked(simulator: Simulator, database: Path, number: str) -> Iterator[Companion]:
    """Link a companion and run it from its second login on."""
    link(simulator, database, number)
    with companion(simulator, database) as running:
        running.wait("Connected")
        yield running


def link(simulator: Simulator, database: Path, number: str = "") -> tuple[str, str]:
    """Link a new companion and end its process; return its JID and number."""
    with companion(simulator, database) as running:
        linked = simulator.control.scan(running.wait("qr")["text"], number=number)
        running.wait("Connected")
    return linked.jid, linked.number


class Scope(TypedDict, total=False):
    """The scope of a fault; all when empty."""

    number: str
    connection: str


def scoped(simulator: Simulator, scope: str, number: str) -> Scope:
    """Return the arguments of `arm` for a scope: the number, its connection, or none for all."""
    if scope == "number":
        return {"number": number}
    if scope == "connection":
        live = simulator.control.connections()
        return {"connection": next(c["id"] for c in live if c["number"] == number)}
    return {}
