"""The fork server: the process that hosts are forked from, and the warm ones kept ready."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping

from django.conf import settings

from connections.worker import ca_bundle
from connections.worker.child_environment import child_environment
from connections.worker.host_handle import Host, HostBroken

logger = logging.getLogger(__name__)

SPAWN_SECONDS = 10.0


class ForkServer:
    """The process that forks hosts, and the spare ones that wait for a pairing."""

    def __init__(
        self, environment: Mapping[str, str], spares: int, lease: int | None = None
    ) -> None:
        self._lease = lease  # descriptor of the memory that says how long hosts may hold sockets
        # One thread of Go at a time is plenty for a host's clients, and saves memory; so does one
        # arena of malloc for all threads, as SQLite would fill one for each client.
        lean = {"GOMAXPROCS": "1", "MALLOC_ARENA_MAX": "1"}
        given = {**child_environment(), **environment}
        self._environment = {**lean, **given, **ca_bundle.environment(given)}
        self._wanted_spares = spares
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._forking = asyncio.Lock()
        self._spares: list[Host] = []
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    async def take(self) -> Host:
        """A host that runs nothing yet: a spare one if there is one. Raises HostBroken."""
        if self._closed:
            raise HostBroken("the service is being stopped")
        while self._spares:
            host = self._spares.pop(0)
            self.fill()
            if host.alive:
                return host
            host.kill()  # It is gone, but for its descriptors here.
        self.fill()
        try:
            return await self._spawn()
        except HostBroken:
            logger.exception("trying with a new parent of the host processes")
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
            stderr = os.memfd_create("host stderr")
            try:
                socket.send_fds(self._control, [b"fork"], [theirs.fileno(), stderr])
                async with asyncio.timeout(SPAWN_SECONDS):
                    answer = await asyncio.get_running_loop().sock_recv(self._control, 16)
                if not answer:
                    raise HostBroken("the host processes' parent ended; see its error above")
            except BaseException as error:
                # Whatever it answers later would be taken for the answer to the next one.
                ours.close()
                os.close(stderr)
                self._end()
                if isinstance(error, (OSError, TimeoutError)):
                    raise HostBroken("the host processes' parent does not answer") from error
                raise
            finally:
                theirs.close()
        host = Host(int(answer), ours, stderr)
        try:
            await host.start()
        except BaseException:
            host.kill()
            raise
        return host

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            passed = [theirs.fileno(), *([] if self._lease is None else [self._lease])]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "connections.worker.host_process", *map(str, passed)],
                pass_fds=passed,
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

    def drop(self) -> None:
        """End the spare hosts; others are made when they are needed."""
        while self._spares:
            self._spares.pop().kill()

    async def close(self) -> None:
        """End the spare hosts and the fork_server."""
        self._closed = True
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
        self.drop()
        self._end()
