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
        self._warm: list[asyncio.Task[HostHandle]] = []  # some still start
        self._closed = False

    async def take(self) -> HostHandle:
        """Return a host without clients: a warm one if there is one. Raises HostError."""
        if self._closed:
            raise HostError("the service is being stopped")
        warm = await self._next_warm_host() if self._warm else None
        self.fill()
        if warm is not None:
            return warm
        try:
            return await self._spawn()
        except HostError:
            logger.exception("the fork server failed; starting it again")
            return await self._spawn()

    async def _next_warm_host(self) -> HostHandle | None:
        """Return the next warm host once it has started; None if it has ended or failed."""
        starting = self._warm.pop(0)
        self.fill()
        try:
            await asyncio.wait([starting])
        except asyncio.CancelledError:
            self._warm.insert(0, starting)  # The next caller gets it.
            raise
        host = _host_of(starting)
        if host is None or host.alive:
            return host
        host.kill()  # This closes its descriptors here.
        return None

    @property
    def warm_hosts(self) -> list[HostHandle]:
        """Return the hosts that are ready for the next pairing."""
        return [host for starting in self._warm if (host := _host_of(starting)) is not None]

    @property
    def pid(self) -> int | None:
        """Return the process id of the fork server, None when none was started."""
        return None if self._process is None else self._process.pid

    def fill(self) -> None:
        """Start warm hosts in the background, until there are as many as wanted."""
        while not self._closed and len(self._warm) < self._warm_target:
            starting = asyncio.create_task(self._spawn(), name="warm host")
            starting.add_done_callback(self._forget_failed)
            self._warm.append(starting)

    def _forget_failed(self, starting: asyncio.Task[HostHandle]) -> None:
        """Remove a warm host that could not be started; the next `fill` tries again."""
        if starting.cancelled() or (error := starting.exception()) is None:
            return
        logger.error("a warm host could not be started", exc_info=error)
        if starting in self._warm:
            self._warm.remove(starting)

    async def _spawn(self) -> HostHandle:
        """Start a host process. Raises HostError, also without a free descriptor or memory."""
        try:
            host = await self._fork()
        except OSError as error:
            raise HostError(f"a host process could not be started: {error.strerror}") from error
        try:
            await host.start()
        except BaseException:
            host.kill()
            raise
        return host

    async def _fork(self) -> HostHandle:
        """Let the fork server fork a host. Raises HostError, OSError."""
        async with self._fork_lock:
            if self._process is None or self._process.poll() is not None:
                self._stop_process()
                self._start_process()
            assert self._control is not None
            stderr = os.memfd_create("host stderr")
            try:
                own_end, host_end = socket.socketpair()
            except OSError:
                os.close(stderr)
                raise
            own_end.setblocking(False)
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
        try:
            return HostHandle(int(answer), own_end, stderr)
        except OSError:
            own_end.close()  # The host exits when it is closed.
            os.close(stderr)
            raise

    def _start_process(self) -> None:
        # If it cannot be started, the next try closes our end.
        self._control, host_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
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

    def _stop_process(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._control = None

    def kill_warm_hosts(self) -> None:
        """Kill the warm hosts; new ones start when they are needed."""
        for host in self.warm_hosts:
            host.kill()
        for starting in self._warm:
            starting.cancel()
        self._warm.clear()

    async def close(self) -> None:
        """Kill the warm hosts and the fork server."""
        self._closed = True
        starting = [warm for warm in self._warm if not warm.done()]
        self.kill_warm_hosts()
        if starting:
            await asyncio.wait(starting)
        self._stop_process()


def _host_of(starting: asyncio.Task[HostHandle]) -> HostHandle | None:
    """Return the started host; None while it starts, and if it could not be started."""
    if not starting.done() or starting.cancelled() or starting.exception() is not None:
        return None
    return starting.result()
