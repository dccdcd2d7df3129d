"""The context that the tasks of one worker share: database, stores, clients, limits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from connections import actions
from connections.actions import Fence, LinkEvent
from connections.models import Worker
from connections.stores.base import StoreBackend
from connections.worker.database import RunFunction
from connections.worker.gathering import Gatherer
from connections.worker.hosts.client import ClientHandle
from connections.worker.tasks.connect_limiter import ConnectLimiter
from connections.worker.tasks.stability import Stability


class PairingHost(Protocol):
    """A host process for one pairing."""

    def open(
        self, database: str, pairing: bool = False, spool: str = "", proxy: str = ""
    ) -> ClientHandle:
        """Start a client on a store."""

    def kill(self) -> None:
        """End the process at once."""


class Clients(Protocol):
    """Starts the clients of this worker."""

    async def find_proxy(self, connection_id: int) -> str:
        """Return the URL of an organization's proxy, "" for none. Raises ProxyUnusable."""

    async def open(
        self, connection_id: int, store: str, dedicated: bool = False, proxy: str = ""
    ) -> ClientHandle:
        """Resume a store's device in a pooled host. Raises HostError."""

    def evict(self, connection_id: int, store: str) -> bool:
        """Kill hosts that may still hold a store's device. Return whether there were any."""

    def pairing_spool(self, connection_id: int, store: str) -> str:
        """Return the path of a new spool for the client of a store's pairing."""

    async def take_host(self) -> PairingHost:
        """Return a host process without clients. Raises HostError."""

    def store_template(self) -> bytes:
        """Return the file of a store that has its tables, b"" if there is none."""


async def find_nothing(fence: Fence, store: str) -> None:
    """Do nothing: for a worker without messages."""


@dataclass(frozen=True)
class TaskContext:
    """All that a task uses of its worker; tests inject their own.

    `find_lost`: stores what a connection's ended clients have left, and names the messages of its
    store that were never stored. Called before anything may delete the store or its device: the
    library does that when WhatsApp refuses a login. `link_events`: records those together that wait
    for the database; without it each is recorded by itself.
    """

    get_worker: Callable[[], Worker]  # a new one after a lost lease
    db: RunFunction  # one by one; retries while the database is unavailable
    to_thread: RunFunction
    stores: StoreBackend
    clients: Clients
    find_lost: Callable[[Fence, str], Awaitable[None]] = find_nothing
    link_events: Gatherer[LinkEvent] | None = None
    connect_limiter: ConnectLimiter = field(default_factory=ConnectLimiter)
    stability: defaultdict[int, Stability] = field(default_factory=lambda: defaultdict(Stability))

    async def record_event(self, event: LinkEvent) -> None:
        """Record an event of a link. Raises Superseded."""
        if self.link_events is None:
            await self.db(actions.record_events, [event])
        else:
            await self.link_events.store(event)


def loop_time() -> float:
    """Return the time by the event loop's clock, in seconds."""
    return asyncio.get_running_loop().time()
