"""Host processes as the supervisor sees them: the mould they come from, a host, a client in it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

logger = logging.getLogger(__name__)

Event = dict[str, Any]

SPAWN_SECONDS = 10.0
CLOSE_SECONDS = 5.0
# Clients that are started in one host before it is replaced.
MAX_STARTS = 100
# They say nothing about whether the client is connected.
QUIET_EVENTS = ("logout_done", "code", "phone_code", "phone_code_failed", "accepted")
GONE: Event = {"event": "host_gone"}


class HostBroken(Exception):
    """A host process could not be started."""


class Link:
    """One WhatsApp client in a host."""

    def __init__(self, host: Host, ref: int) -> None:
        self.host = host
        self._ref = ref
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.connected = False
        self._over = False  # no event follows any more
        self._closed = False

    async def next(self, seconds: float | None = None) -> Event:
        """The next event; past the last one always "host_gone". Raises TimeoutError."""
        if self._over and self._events.empty():
            return GONE
        async with asyncio.timeout(seconds):
            return await self._events.get()

    def heard(self, event: Event) -> None:
        """Something happened to the client."""
        if event["event"] in ("ended", "host_gone"):
            self._over = True
        if event["event"] in ("connected", "restored"):
            self.connected = True
        elif event["event"] not in QUIET_EVENTS:
            self.connected = False
        self._events.put_nowait(event)

    def pair_phone(self, number: str) -> None:
        """Ask for a code to type on the phone with this number (digits)."""
        self.host.send({"do": "pair_phone", "ref": self._ref, "number": number})

    async def logout(self, seconds: float) -> str:
        """Unlink at WhatsApp within `seconds`. Returns "" or what went wrong."""
        self.host.send({"do": "logout", "ref": self._ref})
        try:
            async with asyncio.timeout(seconds):
                while True:
                    event = await self.next()
                    if event["event"] == "logout_done":
                        return str(event["error"])
                    if event["event"] in ("ended", "host_gone"):
                        return "the connection ended before WhatsApp answered"
        except TimeoutError:
            return "WhatsApp did not answer in time"

    async def close(self) -> None:
        """Close the socket, keeping the credentials. A client that does not end spoils its host."""
        if self._closed:
            return
        self._closed = True
        self.host.send({"do": "close", "ref": self._ref})
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while not self._over:
                    await self.next()
        except TimeoutError:
            logger.warning("a client did not end", extra={"host": self.host.pid})
            self.host.spoiled = True
        finally:
            self.host.forget(self._ref)


class Host:
    """One host process and the clients in it."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.spoiled = False  # a client in it did not end
        self._opened = 0
        self._channel = channel
        self._pidfd: int | None = None
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open(pid)
        self._refs = itertools.count(1)
        self._links: dict[int, Link] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def sessions(self) -> int:
        """How many clients run in it."""
        return len(self._links)

    @property
    def retired(self) -> bool:
        """Takes no new clients: one did not end, or it has leaked enough.

        The Go library never closes a store's database: each start costs some five descriptors.
        """
        return self.spoiled or self._opened >= MAX_STARTS

    @property
    def alive(self) -> bool:
        return self._listening is not None and not self._listening.done()

    async def start(self) -> None:
        """Listen, and wait until the Go library is loaded. Raises HostBroken."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._channel)
        self._listening = asyncio.create_task(self._listen(reader), name=f"host {self.pid}")
        try:
            async with asyncio.timeout(SPAWN_SECONDS):
                await asyncio.shield(self._ready)
        except TimeoutError:
            raise HostBroken("a host process did not get ready in time") from None

    def open(self, database: Path) -> Link:
        """Start a client on a store: it resumes the device in it, or pairs when there is none."""
        self._opened += 1
        ref = next(self._refs)
        link = self._links[ref] = Link(self, ref)
        if not self.alive:
            link.heard(GONE)
        self.send(
            {
                "do": "open",
                "ref": ref,
                "database": str(database),
                "device_name": settings.DEVICE_NAME,
            }
        )
        return link

    def send(self, command: Mapping[str, Any]) -> None:
        """One command; to a process that is gone it is lost, as the links have been told."""
        if self.alive and self._writer is not None:
            self._writer.write(json.dumps(command).encode() + b"\n")

    def forget(self, ref: int) -> None:
        """Its events interest no one any more."""
        self._links.pop(ref, None)

    def kill(self) -> None:
        """End the process at once, whatever it does."""
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
                self._heard(json.loads(line))
        except ConnectionError:
            pass  # It died with our last command unread: the same end as an empty line.
        finally:
            if not self._ready.done():
                self._ready.set_exception(HostBroken("a host process ended while starting"))
                self._ready.exception()
            for link in list(self._links.values()):
                link.heard(GONE)

    def _heard(self, message: Event) -> None:
        ref = message.pop("ref")
        if ref:
            if link := self._links.get(ref):
                link.heard(message)
        elif message["event"] == "ready":
            self._ready.set_result(None)
        elif not self._ready.done():
            self._ready.set_exception(HostBroken(message["error"]))
        else:
            logger.error("a host process broke", extra={"host": self.pid, **message})


class Mould:
    """The process that forks hosts, and the spare ones that wait for a pairing."""

    def __init__(self, environment: Mapping[str, str], spares: int) -> None:
        self._environment = {**os.environ, **environment}
        self._wanted_spares = spares
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._forking = asyncio.Lock()
        self._spares: list[Host] = []
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    async def take(self) -> Host:
        """A host that runs nothing yet: a spare one if there is one. Raises HostBroken."""
        while self._spares:
            host = self._spares.pop(0)
            self.fill()
            if host.alive:
                return host
        self.fill()
        return await self._spawn()

    def fill(self) -> None:
        """Make spare hosts in the background, until there are as many as wanted."""
        if self._filling is None or self._filling.done():
            self._filling = asyncio.create_task(self._fill(), name="spare hosts")

    async def _fill(self) -> None:
        while not self._closed and len(self._spares) < self._wanted_spares:
            try:
                self._spares.append(await self._spawn())
            except HostBroken:
                logger.exception("no spare host")
                return

    async def _spawn(self) -> Host:
        async with self._forking:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._start()
            assert self._control is not None
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            try:
                socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
                async with asyncio.timeout(SPAWN_SECONDS):
                    answer = await asyncio.get_running_loop().sock_recv(self._control, 16)
            except (OSError, TimeoutError) as error:
                ours.close()
                self._end()
                raise HostBroken("the host processes' parent does not answer") from error
            except asyncio.CancelledError:
                # Its answer would be taken for the next one's.
                ours.close()
                self._end()
                raise
            finally:
                theirs.close()
            if not answer:
                ours.close()
                self._end()
                raise HostBroken("the host processes' parent ended; see its error above")
        host = Host(int(answer), ours)
        try:
            await host.start()
        except BaseException:
            host.kill()
            raise
        return host

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "connections.worker.host_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=settings.BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends its hosts
            )
        ours.setblocking(False)
        self._control = ours

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._control = None

    async def close(self) -> None:
        """End the spare hosts and the mould."""
        self._closed = True
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        for host in self._spares:
            host.kill()
        self._end()
