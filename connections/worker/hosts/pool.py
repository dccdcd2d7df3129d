"""The pool of host processes for linked organizations, with several clients in each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from django.conf import settings

from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle

logger = logging.getLogger(__name__)

RECYCLE_SECONDS = 5.0
# Clients move out of a host one by one, as each is offline for a moment.
MOVE_PAUSE_SECONDS = 0.2


class HostPool:
    """Hosts with up to SESSIONS_PER_HOST clients each.

    `blocked`: returns whether a client that leaves its host now could not connect again.
    """

    def __init__(
        self, fork_server: ForkServer, blocked: Callable[[], bool] = lambda: False
    ) -> None:
        self._fork_server = fork_server
        self.blocked = blocked
        self._hosts: list[HostHandle] = []
        self._opening = asyncio.Lock()

    @property
    def hosts(self) -> list[HostHandle]:
        """Return the hosts, including ended ones that were not removed yet."""
        return list(self._hosts)

    @property
    def count(self) -> int:
        """Return the number of host processes."""
        return len(self._hosts)

    async def open(
        self, database: str, dedicated: bool = False, spool: str = "", proxy: str = ""
    ) -> ClientHandle:
        """Resume a store's device in a host with room. Raises HostError.

        `dedicated`: in its own host, as this client may have crashed the last ones. `spool`,
        `proxy`: see `HostHandle.open`.
        """
        async with self._opening:
            host = None if dedicated else self._find_free()
            if host is None:
                host = await self._fork_server.take()
                host.dedicated, host.blocked = dedicated, self.blocked
                self._hosts.append(host)
            return host.open(database, spool=spool, proxy=proxy)

    def _find_free(self) -> HostHandle | None:
        self._kill_unused()
        free = (
            host
            for host in self._hosts
            if not host.needs_recycling
            and not host.dedicated
            and host.client_count < settings.SESSIONS_PER_HOST
        )
        return next(free, None)

    def _kill_unused(self) -> None:
        """Remove ended hosts, and kill those without clients that take no new ones."""
        for host in list(self._hosts):
            closed_to_others = host.needs_recycling or host.dedicated
            if not host.alive or (closed_to_others and not host.client_count):
                self._hosts.remove(host)
                host.kill()

    def evict(self, database: str) -> bool:
        """Kill the hosts where a closed client of this store may still connect.

        The library continues to dial for a stopped client. Return whether there was one.
        """
        suspects = [host for host in self._hosts if host.alive and database in host.orphaned_stores]
        for host in suspects:
            logger.warning(
                "killing a host with a closed client that came back", extra={"host": host.pid}
            )
            host.kill("a client in it came back after its end")
        return bool(suspects)

    async def recycle(self) -> None:
        """Move clients out of hosts that need recycling, kill empty ones, and sleep.

        During an outage links stay: these hosts take no new clients anyway.
        """
        async with self._opening:
            self._kill_unused()
        for host in list(self._hosts):
            if host.needs_recycling and host.alive and host.client_count and not self.blocked():
                logger.info("recycling a host", extra={"host": host.pid, **host.usage})
                for client in host.clients:
                    if self.blocked():
                        break
                    client.request_move()
                    await asyncio.sleep(MOVE_PAUSE_SECONDS)
        await asyncio.sleep(RECYCLE_SECONDS)

    def kill(self) -> None:
        """Kill all hosts."""
        for host in self._hosts:
            host.kill()
        self._hosts.clear()
