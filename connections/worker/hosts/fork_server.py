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

from connections.worker.child import ca_bundle, routes
from connections.worker.hosts.child_environment import child_environment
from connections.worker.hosts.handle import HostError, HostHandle

logger = logging.getLogger(__name__)

SPAWN_SECONDS = 10.0


class ForkServer:
    """Starts the fork server and hands out host processes."""

    def __init__(
        self, environment: Mapping[str, str], warm_hosts: int, lease: int | None = None
    ) -> None:
        self._lease = lease  # descriptor of the lease's memory (lease_memory.py)
        # One running Go thread is enough for a host's clients. One malloc arena for all threads
        # saves memory: SQLite would fill one for each client.
        memory_saving = {"GOMAXPROCS": "1", "MALLOC_ARENA_MAX": "1"}
        given = routes.hide_proxies({**child_environment(), **environment})
        self._environment = {**memory_saving, **given}
        self._warm_target = warm_hosts
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._fork_lock = asyncio.Lock()
        self._warm: list[HostHandle] = []
        self._fill_task: asyncio.Task[None] | None = None
        self._closed = False

    async def take(self) -> HostHandle:
        """Return a host without clients: a warm one if there is one. Raises HostError."""
        if self._closed:
            raise HostError("the service is being stopped")
        while self._warm:
            host = self._warm.pop(0)
            self.fill()
            if host.alive:
                return host
            host.kill()  # It has ended; this closes its descriptors here.
        self.fill()
        try:
            return await self._spawn()
        except HostError:
            logger.exception("the fork server failed; starting it again")
            return await self._spawn()

    @property
    def warm_hosts(self) -> list[HostHandle]:
        """Return the hosts that are ready for the next pairing."""
        return list(self._warm)

    @property
    def pid(self) -> int | None:
        """Return the process id of the fork server, None when none was started."""
        return None if self._process is None else self._process.pid

    def fill(self) -> None:
        """Start warm hosts in the background, until there are as many as wanted."""
        if self._fill_task is None or self._fill_task.done():
            self._fill_task = asyncio.create_task(self._fill(), name="warm hosts")

    async def _fill(self) -> None:
        while not self._closed and len(self._warm) < self._warm_target:
            try:
                self._warm.append(await self._spawn())
            except HostError:
                logger.exception("a warm host could not be started")
                return

    async def _spawn(self) -> HostHandle:
        async with self._fork_lock:
            if self._process is None or self._process.poll() is not None:
                self._stop_process()
                self._start_process()
            assert self._control is not None
            own_end, host_end = socket.socketpair()
            own_end.setblocking(False)
            stderr = os.memfd_create("host stderr")
            try:
                socket.send_fds(self._control, [b"fork"], [host_end.fileno(), stderr])
                async with asyncio.timeout(SPAWN_SECONDS):
                    answer = await asyncio.get_running_loop().sock_recv(self._control, 16)
                if not answer:
                    raise HostError("the fork server ended; see its error above")
            except BaseException as error:
                # A late answer would be read as the answer to the next request.
                own_end.close()
                os.close(stderr)
                self._stop_process()
                if isinstance(error, (OSError, TimeoutError)):
                    raise HostError("the fork server does not answer") from error
                raise
            finally:
                host_end.close()
        host = HostHandle(int(answer), own_end, stderr)
        try:
            await host.start()
        except BaseException:
            host.kill()
            raise
        return host

    def _start_process(self) -> None:
        own_end, host_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with host_end, ca_bundle.roots_in_memory(self._environment) as (roots, descriptors):
            passed = [host_end.fileno(), *([] if self._lease is None else [self._lease])]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "connections.worker.child.host_process", *map(str, passed)],
                pass_fds=[*passed, *descriptors],
                cwd=settings.BASE_DIR,
                env={**self._environment, **roots},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the worker, which ends its hosts
            )
        own_end.setblocking(False)
        self._control = own_end

    def _stop_process(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._control = None

    def kill_warm_hosts(self) -> None:
        """Kill the warm hosts; new ones start when they are needed."""
        while self._warm:
            self._warm.pop().kill()

    async def close(self) -> None:
        """Kill the warm hosts and the fork server."""
        self._closed = True
        if self._fill_task is not None:
            self._fill_task.cancel()
            await asyncio.wait([self._fill_task])
        self.kill_warm_hosts()
        self._stop_process()
