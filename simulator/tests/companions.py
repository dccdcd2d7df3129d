"""Helpers that start and control `neonize_companion.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any, TypedDict

from simulator.process import Simulator

ROOT = Path(__file__).resolve().parents[2]

Event = dict[str, Any]


class Companion:
    """A process that runs the real neonize with one client."""

    def __init__(self, simulator: Simulator, database: Path) -> None:
        receiving, sending = os.pipe()
        self._events: Queue[Event] = Queue()
        self.seen: list[Event] = []
        arguments = [str(database), simulator.noise_root.hex(), str(sending)]
        log = open(database.with_suffix(".log"), "ab")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator.tests.neonize_companion", *arguments],
            cwd=ROOT,
            env={**os.environ, **simulator.environment()},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[sending],
        )
        log.close()
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
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def chat(self, do: str, **fields: Any) -> None:
        """Send a command about messages."""
        self.send_command(f"chat {json.dumps({'do': do, **fields})}")

    def send_text(self, to: str, text: str) -> str:
        """Send a text to a number or an address, and return its id."""
        self.chat("send", to=to, message={"conversation": text})
        return str(self.wait("sent", forbidden=("error",))["id"])

    def kill(self) -> None:
        """End the process (SIGKILL)."""
        self.process.kill()
        self.process.wait(5)
        assert self.process.stdin
        self.process.stdin.close()
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
