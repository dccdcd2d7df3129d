"""The worker's handle of a host process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import re
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings

from connections.worker.hosts.client import ClientHandle, Event

logger = logging.getLogger(__name__)

READY_SECONDS = 10.0
PING_SECONDS = 5.0
# A host without an answer for so many steps is stuck. The steps are short: after a standstill of
# the worker itself, it still reads an answer that came in meanwhile.
ANSWER_STEPS, ANSWER_STEP_SECONDS = 5, 2.0
# Far above what SESSIONS_PER_HOST clients need, far below what the system allows.
MAX_DESCRIPTORS = 800
MAX_STDERR_BYTES = 1_000_000
# Far above the longest event: host_process.py shortens texts that others have chosen.
MAX_LINE_BYTES = 1024 * 1024
CRASH_PATTERN = re.compile(rb"^(fatal error: .{1,100}|panic: runtime error.{0,100}|panic:)", re.M)


class HostError(Exception):
    """A host process could not be started, or failed to prepare a store."""


class HostHandle:
    """Sends commands to one host process and passes its events on to the clients in it."""

    def __init__(self, pid: int, channel: socket.socket, stderr: int) -> None:
        self.pid = pid
        self.stuck = False  # a client in it did not stop
        self.dedicated = False  # for one client only
        # Whether a client that leaves it now could not connect again (pool.py).
        self.blocked: Callable[[], bool] = lambda: False
        # Stores of clients that were closed while not connected.
        self.orphaned_stores: set[str] = set()
        self.usage = {"starts": 0, "descriptors": 0, "megabytes": 0}
        self._kill_reason = ""  # why the worker killed it
        self._stderr = stderr
        self._answered = asyncio.Event()
        self._ping_task: asyncio.Task[None] | None = None
        self._channel = channel
        self._pidfd: int | None = None
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open(pid)
        self._next_ref = itertools.count(1)
        self._clients: dict[int, ClientHandle] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer: asyncio.StreamWriter | None = None
        self._listen_task: asyncio.Task[None] | None = None

    @property
    def client_count(self) -> int:
        """Return the number of clients in it."""
        return len(self._clients)

    @property
    def needs_recycling(self) -> bool:
        """Return whether it takes no new clients: one did not stop, or it leaked too much.

        The Go library never closes a store's database: each start costs some five descriptors.
        """
        return (
            self.stuck
            or self.usage["starts"] >= settings.HOST_MAX_STARTS
            or self.usage["descriptors"] >= MAX_DESCRIPTORS
            or self.usage["megabytes"] >= settings.HOST_MAX_MEMORY_MB
        )

    @property
    def clients(self) -> list[ClientHandle]:
        """Return the handles of the clients in it."""
        return list(self._clients.values())

    @property
    def must_stay(self) -> bool:
        """Return whether its end would cost links that could not come back now."""
        return self.blocked() and any(client.holds_link for client in self.clients)

    @property
    def alive(self) -> bool:
        return self._listen_task is not None and not self._listen_task.done()

    async def start(self) -> None:
        """Start to listen, and wait until the Go library is loaded. Raises HostError."""
        reader, self._writer = await asyncio.open_unix_connection(
            sock=self._channel, limit=MAX_LINE_BYTES
        )
        self._listen_task = asyncio.create_task(self._listen(reader), name=f"host {self.pid}")
        try:
            async with asyncio.timeout(READY_SECONDS):
                await asyncio.shield(self._ready)
        except TimeoutError:
            raise HostError("a host process did not get ready in time") from None
        self._ping_task = asyncio.create_task(
            self._ping_until_stuck(), name=f"watch host {self.pid}"
        )

    def open(
        self, database: str, pairing: bool = False, spool: str = "", proxy: str = ""
    ) -> ClientHandle:
        """Start a client on a store: it resumes the store's device, or pairs when there is none.

        `database`: the store's address, which may hold a password. `pairing`: there is no device
        in it yet. `spool`: the file for what WhatsApp brings (spools.py); without one, messages
        and receipts are confirmed and dropped. `proxy`: the URL of its organization's proxy, which
        holds its password; "": the environment's.
        """
        command = {"do": "open", "device_name": settings.DEVICE_NAME, "pairing": pairing}
        return self._start_client(database, {**command, "spool": spool, "proxy": proxy})

    async def prepare(self, database: str, seconds: float) -> None:
        """Create a store's tables without connecting. Raises HostError, TimeoutError."""
        client = self._start_client(database, {"do": "prepare"})
        event = await client.next(seconds)
        self.forget(client.ref)
        if event["event"] != "prepared" or event["error"]:
            raise HostError(event["error"] or "a host process ended while it made a store")

    def _start_client(self, database: str, command: Mapping[str, Any]) -> ClientHandle:
        self.usage["starts"] += 1
        ref = next(self._next_ref)
        client = self._clients[ref] = ClientHandle(self, ref, database)
        if not self.alive:
            client.receive({"event": "host_gone", "error": ""})
        self.send({**command, "database": database, "ref": ref})
        return client

    def send(self, command: Mapping[str, Any]) -> None:
        """Send one command, unless the process has ended."""
        if self.alive and self._writer is not None:
            self._writer.write(json.dumps(command).encode() + b"\n")

    def forget(self, ref: int) -> None:
        """Stop passing events to a client."""
        self._clients.pop(ref, None)

    def kill(self, why: str = "it is not needed any more") -> None:
        """Kill the process. `why` goes to its clients as the error."""
        self._kill_reason = self._kill_reason or why
        if self._ping_task is not None:
            self._ping_task.cancel()
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = None
        if self._writer is not None:
            self._writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._receive(json.loads(line))
        except ConnectionError:
            pass  # It ended before it read our last command.
        except Exception as error:
            # Nobody follows its clients from here on. Not the error's text: it may quote the line.
            why = type(error).__name__
            logger.error("killing a host process that sends nonsense", extra=self._about(why))
            self.kill("it was killed")
        finally:
            self._handle_end()

    def _handle_end(self) -> None:
        why = self._kill_reason or self._crash_message()
        os.close(self._stderr)
        if self._ping_task is not None:
            self._ping_task.cancel()
        if not self._ready.done():
            self._ready.set_exception(HostError(f"a host process ended while starting: {why}"))
            self._ready.exception()
        if not self._kill_reason:
            logger.error("a host process ended by itself", extra=self._about(why))
        for client in self.clients:
            client.receive({"event": "host_gone", "error": why})

    def _about(self, why: str) -> dict[str, object]:
        return {"host": self.pid, "why": why}

    def _crash_message(self) -> str:
        """Return the Go library's crash message; the rest of its output may hold secrets."""
        found = CRASH_PATTERN.search(os.pread(self._stderr, MAX_STDERR_BYTES, 0))
        return found[1].decode(errors="replace") if found else "it was killed"

    async def _ping_until_stuck(self) -> None:
        """Ping the process; kill it when it does not answer."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            self._answered.clear()
            self.send({"do": "ping", "ref": 0})
            for _ in range(ANSWER_STEPS):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_STEP_SECONDS):
                        await self._answered.wait()
                if self._answered.is_set():
                    break
            else:
                logger.error(
                    "killing a host process that does not answer", extra={"host": self.pid}
                )
                return self.kill("it had stopped answering")
            if os.fstat(self._stderr).st_size > MAX_STDERR_BYTES:
                os.ftruncate(self._stderr, 0)
                os.lseek(self._stderr, 0, os.SEEK_SET)  # The process shares this position.

    def _receive(self, message: Event) -> None:
        ref = message.pop("ref")
        if ref:
            if client := self._clients.get(ref):
                client.receive(message)
        elif message["event"] == "ready":
            self._ready.set_result(None)
        elif message["event"] == "pong":
            self.usage |= {key: message[key] for key in ("descriptors", "megabytes")}
            self._answered.set()
        elif not self._ready.done():
            self._ready.set_exception(HostError(message["error"]))
        else:
            logger.error("a host process failed", extra={"host": self.pid, **message})
