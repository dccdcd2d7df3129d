"""The host processes of linked organizations: several clients in each."""

from __future__ import annotations

import asyncio
import logging

from django.conf import settings

from connections.worker.hosts.client import Link
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import Host

logger = logging.getLogger(__name__)

RECYCLE_SECONDS = 5.0
# Clients of a used up host move one after the other, as each is offline for a moment.
MOVE_SECONDS = 0.2


class HostPool:
    """Hosts with up to SESSIONS_PER_HOST clients each."""

    def __init__(self, fork_server: ForkServer) -> None:
        self._fork_server = fork_server
        self._hosts: list[Host] = []
        self._opening = asyncio.Lock()

    @property
    def hosts(self) -> list[Host]:
        """Return the hosts, also those that have ended and were not removed yet."""
        return list(self._hosts)

    @property
    def count(self) -> int:
        """Return how many host processes there are."""
        return len(self._hosts)

    async def open(self, database: str, alone: bool = False) -> Link:
        """Resume a store's device in a host that has room. Raises HostBroken.

        `alone`: in a host of its own, as this client may have crashed the last ones.
        """
        async with self._opening:
            host = None if alone else self._find_free()
            if host is None:
                host = await self._fork_server.take()
                host.alone = alone
                self._hosts.append(host)
            return host.open(database)

    def _find_free(self) -> Host | None:
        self._end_unused()
        free = (
            host
            for host in self._hosts
            if not host.recycle and not host.alone and host.sessions < settings.SESSIONS_PER_HOST
        )
        return next(free, None)

    def _end_unused(self) -> None:
        """Kill the hosts that have no client and take no new one."""
        for host in list(self._hosts):
            closed_to_others = host.recycle or host.alone
            if not host.alive or (closed_to_others and not host.sessions):
                self._hosts.remove(host)
                host.kill()

    def evict(self, database: str) -> bool:
        """Kill the hosts where a closed client of this store may still connect.

        The library goes on dialling for a client that is stopped. Return whether there was one.
        """
        suspects = [host for host in self._hosts if host.alive and database in host.orphaned_stores]
        for host in suspects:
            logger.warning(
                "killing a host with a closed client that came back", extra={"host": host.pid}
            )
            host.kill("a client in it came back after its end")
        return bool(suspects)

    async def recycle(self) -> None:
        """Move the clients of used up hosts to others, kill empty ones, and wait a while."""
        async with self._opening:
            self._end_unused()
        for host in list(self._hosts):
            if host.recycle and host.alive and host.sessions:
                logger.info("replacing a used up host", extra={"host": host.pid, **host.usage})
                for link in host.links:
                    link.move()
                    await asyncio.sleep(MOVE_SECONDS)
        await asyncio.sleep(RECYCLE_SECONDS)

    def kill(self) -> None:
        """Kill all hosts."""
        for host in self._hosts:
            host.kill()
        self._hosts.clear()
