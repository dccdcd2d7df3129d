"""The session hosts: where each linked organization's client runs, dense and disposable."""

from __future__ import annotations

import asyncio
import logging

from django.conf import settings

from connections.worker.client_handle import Link
from connections.worker.fork_server import ForkServer
from connections.worker.host_handle import Host

logger = logging.getLogger(__name__)

RELIEVE_SECONDS = 5.0
# Clients of a worn host move one after the other, as each is offline for a moment.
MOVE_SECONDS = 0.2


class HostPool:
    """Hosts with up to SESSIONS_PER_HOST clients each."""

    def __init__(self, fork_server: ForkServer) -> None:
        self._mould = fork_server
        self._hosts: list[Host] = []
        self._opening = asyncio.Lock()

    @property
    def count(self) -> int:
        """How many host processes there are."""
        return len(self._hosts)

    async def open(self, database: str, alone: bool = False) -> Link:
        """Resume a store's device in a host that has room. Raises HostBroken.

        `alone`: in a host of its own, as it may be what crashed the last ones.
        """
        async with self._opening:
            host = None if alone else self._with_room()
            if host is None:
                host = await self._mould.take()
                host.alone = alone
                self._hosts.append(host)
            return host.open(database)

    def _with_room(self) -> Host | None:
        self._let_go()
        room = (
            host
            for host in self._hosts
            if not host.retired and not host.alone and host.sessions < settings.SESSIONS_PER_HOST
        )
        return next(room, None)

    def _let_go(self) -> None:
        """End the hosts that hold nothing any more and take nothing new."""
        for host in list(self._hosts):
            used_up = host.retired or host.alone
            if not host.alive or (used_up and not host.sessions):
                self._hosts.remove(host)
                host.kill()

    def evict(self, database: str) -> bool:
        """End the hosts where a client of this store may live on though it was closed.

        The library's dial goes on behind a client that is stopped. Whether there was one.
        """
        holding = [host for host in self._hosts if host.alive and database in host.abandoned]
        for host in holding:
            logger.warning("ending a host with a client that came back", extra={"host": host.pid})
            host.kill("a client in it came back after its end")
        return bool(holding)

    async def relieve(self) -> None:
        """Move the clients of a worn host to others, so that it can be ended."""
        async with self._opening:
            self._let_go()
        for host in list(self._hosts):
            if host.retired and host.alive and host.sessions:
                logger.info("replacing a worn host", extra={"host": host.pid, **host.wear})
                for link in host.links:
                    link.move()
                    await asyncio.sleep(MOVE_SECONDS)
        await asyncio.sleep(RELIEVE_SECONDS)

    def kill(self) -> None:
        """End them all at once."""
        for host in self._hosts:
            host.kill()
        self._hosts.clear()
