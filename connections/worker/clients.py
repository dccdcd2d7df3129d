"""Starts the clients of a worker: of linked phones in pooled hosts, of pairings in hosts alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from connections import actions
from connections.stores.base import StoreBackend
from connections.worker import spools
from connections.worker.database import RunFunction
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from connections.worker.hosts.pool import HostPool
from connections.worker.hosts.store_template import StoreTemplate
from outbound.proxies import checked_proxy


class WorkerClients:
    """The `Clients` of the tasks' context.

    `follow`: called with each new client of a linked phone and with its spool. `blocked`: see
    HostPool.
    """

    def __init__(
        self,
        fork_server: ForkServer,
        stores: StoreBackend,
        follow: Callable[[int, ClientHandle, Path], None],
        db: RunFunction,
        blocked: Callable[[], bool],
    ) -> None:
        self.hosts = HostPool(fork_server, blocked)
        self._fork_server = fork_server
        self._stores = stores
        self._follow = follow
        self._db = db
        self._template = StoreTemplate()

    async def make_template(self) -> None:
        """Make the store template once, where stores are files; then wait for ever."""
        if settings.AUTH_SESSIONS == "folders":
            await self._template.make(self._fork_server)
        await asyncio.get_running_loop().create_future()

    async def find_proxy(self, connection_id: int) -> str:
        """Return the URL of an organization's proxy, "" for none. Raises ProxyUnusable."""
        proxy = await self._db(actions.proxy_of, connection_id)
        return (await checked_proxy(proxy)).url if proxy else ""

    async def open(
        self, connection_id: int, store: str, dedicated: bool = False, proxy: str = ""
    ) -> ClientHandle:
        """Resume a store's device in a pooled host. Raises HostError, OSError."""
        address = self._stores.database(connection_id, store)
        await asyncio.to_thread(spools.publish_pairing, connection_id, store)
        spool = spools.new_path(connection_id, store)
        client = await self.hosts.open(address, dedicated, str(spool), proxy)
        self._follow(connection_id, client, spool)
        return client

    def pairing_spool(self, connection_id: int, store: str) -> str:
        """Return the path of a new spool for the client of a store's pairing."""
        return str(spools.new_path(connection_id, store, pairing=True))

    def evict(self, connection_id: int, store: str) -> bool:
        """Kill hosts that may still hold a store's device. Return whether there were any."""
        return self.hosts.evict(self._stores.database(connection_id, store))

    async def take_host(self) -> HostHandle:
        """Return a host process without clients. Raises HostError."""
        return await self._fork_server.take()

    def store_template(self) -> bytes:
        """Return the file of a store that has its tables, b"" if there is none."""
        return self._template.content
