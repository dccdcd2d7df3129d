"""The fork server: the process that forks host processes, and the warm hosts kept ready."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping

from django.conf import settings

from connections.worker.child import ca_bundle
from connections.worker.hosts.child_environment import child_environment
from connections.worker.hosts.handle import Host, HostBroken

logger = logging.getLogger(__name__)

SPAWN_SECONDS = 10.0


class ForkServer:
    """Starts the fork server and hands out host processes."""

    def __init__(
        self, environment: Mapping[str, str], warm_hosts: int, lease: int | None = None
    ) -> None:
        self._lease = lease  # descriptor of the lease's memory (lease_memory.py)
        # One thread of Go at a time is plenty for a host's clients, and saves memory; so does one
        # arena of malloc for all threads, as SQLite would fill one for each client.
        lean = {"GOMAXPROCS": "1", "MALLOC_ARENA_MAX": "1"}
        given = {**child_environment(), **environment}
        self._environment = {**lean, **given, **ca_bundle.environment(given)}
        self._wanted = warm_hosts
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._forking = asyncio.Lock()
        self._warm: list[Host] = []
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    async def take(self) -> Host:
        """Return a host that runs nothing yet: a warm one if there is one. Raises HostBroken."""
        if self._closed:
            raise HostBroken("the service is being stopped")
        while self._warm:
            host = self._warm.pop(0)
            self.fill()
            if host.alive:
                return host
            host.kill()  # It has ended; this closes its descriptors here.
        self.fill()
        try:
            return await self._spawn()
        except HostBroken:
            logger.exception("starting the fork server again")
            return await self._spawn()

    @property
    def warm_hosts(self) -> list[Host]:
        """Return the hosts that wait for the next pairing."""
        return list(self._warm)

    @property
    def pid(self) -> int | None:
        """Return the process id of the fork server, None when none was started."""
        return None if self._process is None else self._process.pid

    def fill(self) -> None:
        """Start warm hosts in the background, until there are as many as wanted."""
        if self._filling is None or self._filling.done():
            self._filling = asyncio.create_task(self._fill(), name="warm hosts")

    async def _fill(self) -> None:
        while not self._closed and len(self._warm) < self._wanted:
            try:
                self._warm.append(await self._spawn())
            except HostBroken:
                logger.exception("no warm host")
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
                    raise HostBroken("the fork server ended; see its error above")
            except BaseException as error:
                # A late answer would be taken for the answer to the next request.
                ours.close()
                os.close(stderr)
                self._end()
                if isinstance(error, (OSError, TimeoutError)):
                    raise HostBroken("the fork server does not answer") from error
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
                [sys.executable, "-m", "connections.worker.child.host_process", *map(str, passed)],
                pass_fds=passed,
                cwd=settings.BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the worker, which ends its hosts
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
        """Kill the warm hosts; others are started when they are needed."""
        while self._warm:
            self._warm.pop().kill()

    async def close(self) -> None:
        """Kill the warm hosts and the fork server."""
        self._closed = True
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
        self.drop()
        self._end()
