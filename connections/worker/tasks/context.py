"""What the tasks of one worker share, and the ways they reach what is outside of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from connections.models import Worker
from connections.stores.base import StoreBackend
from connections.worker.hosts.client import Link
from connections.worker.tasks.connect_limiter import ConnectLimiter
from connections.worker.tasks.stability import Stability

T = TypeVar("T")


class RunFunction(Protocol):
    """Runs a blocking function off the event loop, and returns what it returns."""

    def __call__(self, function: Callable[..., T], /, *arguments: object) -> Awaitable[T]: ...


class PairingHost(Protocol):
    """A host process for one pairing."""

    def open(self, database: str, pairing: bool = False) -> Link:
        """Start a client on a store."""

    def kill(self) -> None:
        """End the process at once."""


class Clients(Protocol):
    """Where the clients of this worker run."""

    async def open(self, connection_id: int, store: str, alone: bool = False) -> Link:
        """Resume a store's device in a session host. Raises HostBroken."""

    def evict(self, connection_id: int, store: str) -> bool:
        """End whatever here may still hold a store's device. Return whether there was any."""

    async def take_host(self) -> PairingHost:
        """Return a host process that runs nothing yet. Raises HostBroken."""

    def blank_store(self) -> bytes:
        """Return the file of a store that has its tables, b"" for none."""


@dataclass(frozen=True)
class TaskContext:
    """All that a task uses of its worker, so that a test can stand in for the rest of it."""

    get_worker: Callable[[], Worker]  # another one after its lease was lost
    db: RunFunction  # one function after the other, again while the database is away
    to_thread: RunFunction
    stores: StoreBackend
    clients: Clients
    connect_limiter: ConnectLimiter = field(default_factory=ConnectLimiter)
    stability: defaultdict[int, Stability] = field(default_factory=lambda: defaultdict(Stability))


def loop_time() -> float:
    """Return the time by the event loop's clock, in seconds."""
    return asyncio.get_running_loop().time()
