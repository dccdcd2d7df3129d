"""What the parts of the traffic share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connections.models import Worker
from connections.stores.base import StoreBackend
from connections.worker.database import RunFunction
from connections.worker.hosts.client import ClientHandle
from connections.worker.message_port import MessagePort
from connections.worker.tasks.connection_task import ConnectionTask


@dataclass(frozen=True)
class TrafficContext:
    """What the traffic uses of its worker."""

    port: MessagePort
    tasks: Callable[[], Mapping[int, ConnectionTask]]  # running ones, by connection
    get_worker: Callable[[], Worker]
    lease_held: Callable[[], bool]
    db: RunFunction  # one by one; retries while the database is unavailable
    incoming_db: RunFunction  # the same beside it, for what comes in
    upkeep_db: RunFunction  # the same beside both, for what may take long
    to_thread: RunFunction
    to_storage: RunFunction  # threads of their own: a bucket may not answer for long
    stores: StoreBackend

    def connected_clients(self) -> dict[int, ClientHandle]:
        """Return the clients that are connected now, by connection."""
        return {
            pk: task.client
            for pk, task in self.tasks().items()
            if task.client is not None and task.client.connected
        }
