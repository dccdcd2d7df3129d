"""Runs the tasks of this worker: one for each connection that it owns and must serve."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from connections import actions
from connections.actions import Fence
from connections.models import Connection, Worker
from connections.stores import StoreDamaged, StoreUnusable
from connections.stores.base import StoreBackend
from connections.worker.hosts.client import ClientHandle
from connections.worker.pending_work import pending_connections, unowned_connections
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.tasks.context import TaskContext

logger = logging.getLogger(__name__)

# How often a task that must not be interrupted is checked again.
RECHECK_SECONDS = 0.1


@dataclass(frozen=True)
class Capacity:
    """How many more connections a worker may claim, where several workers share them."""

    free_slots: int  # for connections that reconnect by themselves
    accepts_urgent: bool  # whether it may claim one that a person waits for
    max_claims: int  # how many to try to claim, as others may be faster


class TaskRunner:
    """Starts, replaces, ends and hands over tasks, one for each connection.

    `lease_held`: returns whether this worker may hold sockets now. `capacity`: returns what it may
    claim, None for a single worker, which claims everything. `wake`: reconciles a connection soon.
    `changed`: called when a task has started or has ended by itself.
    """

    def __init__(
        self,
        context: TaskContext,
        lease_held: Callable[[], bool],
        capacity: Callable[[], Capacity | None],
        wake: Callable[[int], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._context = context
        self._lease_held = lease_held
        self._capacity = capacity
        self._wake = wake
        self._changed = changed
        self._linked_number = partial(_linked_number, context.stores)
        self._tasks: dict[int, tuple[ConnectionTask, asyncio.Task[None]]] = {}
        self._reconciling: dict[int, asyncio.Lock] = {}
        self._claiming = asyncio.Lock()

    @property
    def running(self) -> frozenset[int]:
        """Return the connections with a running task."""
        return frozenset(
            pk for pk, (_, asyncio_task) in self._tasks.items() if not asyncio_task.done()
        )

    @property
    def tasks(self) -> dict[int, ConnectionTask]:
        """Return the running tasks by connection."""
        return {
            pk: task for pk, (task, asyncio_task) in self._tasks.items() if not asyncio_task.done()
        }

    @property
    def load(self) -> int:
        """Return the number of running tasks. The thread of the heartbeats asks, too."""
        tasks = self._tasks.copy()  # In one step: the loop changes it meanwhile.
        return sum(not asyncio_task.done() for _, asyncio_task in tasks.values())

    async def find_work(self) -> list[int]:
        """Return the connections to reconcile: those whose task must change, and unowned ones."""
        worker = self._context.get_worker()
        return await self._context.db(_find_work, worker, self.running, self._capacity())

    async def resume(self, connection_ids: Collection[int]) -> set[int]:
        """Claim connections whose saved logins have to be resumed, and start their tasks.

        Return them; all others have to be reconciled. One call at a time claims, so that each
        counts against the capacity for the next, and the tasks of one begin before another.
        """
        async with AsyncExitStack() as locks:
            free = [pk for pk in connection_ids if not self._is_busy(pk)]
            # In the order of `reconcile`, and always upwards: nobody waits in a circle.
            for connection_id in sorted(free):
                await locks.enter_async_context(self._lock(connection_id))
            await locks.enter_async_context(self._claiming)
            capacity = self._capacity()
            claimed = free if capacity is None else free[: capacity.free_slots]
            claimed = [pk for pk in claimed if pk not in self._tasks]
            if not (claimed and self._lease_held()):
                return set()
            worker = self._context.get_worker()
            found = await self._context.db(
                actions.claim_saved_logins, claimed, worker, capacity is None
            )
            resumed = [connection for connection in found if self._still_owns(connection)]
            for connection in resumed:
                self._start(connection, None)
            return {connection.pk for connection in resumed}

    def _lock(self, connection_id: int) -> asyncio.Lock:
        return self._reconciling.setdefault(connection_id, asyncio.Lock())

    def _is_busy(self, connection_id: int) -> bool:
        """Return whether a connection has a task, or is being reconciled."""
        return connection_id in self._tasks or self._lock(connection_id).locked()

    async def reconcile(self, connection_id: int) -> ConnectionTask | None:
        """Start a task for the newest request of a connection; end the task of an older one.

        Return the current task. Without a lease no task is started; the next poll finds the request
        again.
        """
        async with self._lock(connection_id):
            await self._reconcile(connection_id)
        task, _ = self._tasks.get(connection_id, (None, None))
        return task

    async def _reconcile(self, connection_id: int) -> None:
        connection = await self._claim(connection_id) if self._lease_held() else None
        if not self._still_owns(connection):
            return
        task, asyncio_task = self._tasks.get(connection_id, (None, None))
        if connection is None:
            if task is not None:
                await self._end_task(connection_id)
            return
        should_run = connection.needs_task
        if task is not None and asyncio_task is not None:
            newest = task.fence == Fence.of(connection)
            paused = not connection.organization.is_active and not connection.logout_pending
            if newest and (not should_run if asyncio_task.done() else not paused):
                return
            while task.uninterruptible and not asyncio_task.done():
                await asyncio.wait([asyncio_task], timeout=RECHECK_SECONDS)
            asyncio_task.cancel()
            await asyncio.wait([asyncio_task])
            if not self._still_owns(connection):
                return
        if should_run:
            self._start(connection, task.client if task else None)
        elif task is not None:
            await task.pause()

    def _still_owns(self, connection: Connection | None) -> bool:
        """Return whether the lease is held, and was not lost since the connection was claimed."""
        return self._lease_held() and (
            connection is None or connection.worker_id == self._context.get_worker().pk
        )

    async def _claim(self, connection_id: int) -> Connection | None:
        """Claim a connection. Return it, or None when another worker owns it."""
        claim = partial(actions.claim, linked_number=self._linked_number)
        if self._capacity() is None:
            worker = self._context.get_worker()
            return await self._context.db(partial(claim, worker=worker), connection_id)
        # When a worker has died, hundreds are claimed at once. Claim one by one, so that each claim
        # counts against the capacity for the next.
        async with self._claiming:
            worker, capacity = self._context.get_worker(), self._capacity()
            room = capacity is None or capacity.free_slots > 0
            urgent = capacity is None or capacity.accepts_urgent
            claim = partial(claim, worker=worker, room=room, urgent=urgent, alone=False)
            return await self._context.db(claim, connection_id)

    async def _end_task(self, connection_id: int) -> None:
        """End a task without logging out and without recording an event."""
        task, asyncio_task = self._tasks[connection_id]
        asyncio_task.cancel()
        await asyncio.wait([asyncio_task])
        await task.close()
        del self._tasks[connection_id]

    def movable(self, everything: bool) -> list[int]:
        """Return the connected connections; with `everything`, all others after them."""
        running = {
            pk: task
            for pk, (task, asyncio_task) in self._tasks.items()
            if not (asyncio_task.done() or task.uninterruptible)
        }
        up = [pk for pk, task in running.items() if task.client and task.client.connected]
        return [*up, *(running.keys() - up)] if everything else up

    async def hand_over(self, connection_id: int, to: int) -> bool:
        """Close a connection's socket and give it to another worker. Return whether it could."""
        async with self._lock(connection_id):
            task, asyncio_task = self._tasks.get(connection_id, (None, None))
            if task is None or asyncio_task is None or asyncio_task.done() or task.uninterruptible:
                return False
            await self._end_task(connection_id)
            worker = self._context.get_worker()
            handed: bool = await self._context.db(
                actions.hand_over, connection_id, worker, to, self._linked_number
            )
        if not handed:
            self._wake(connection_id)
        return handed

    def _start(self, connection: Connection, client: ClientHandle | None) -> None:
        task = ConnectionTask(self._context, connection, client)
        asyncio_task = asyncio.create_task(task.run(), name=f"task {connection.pk}")
        self._tasks[connection.pk] = (task, asyncio_task)
        asyncio_task.add_done_callback(partial(self._handle_end, connection.pk))
        self._changed()

    def _handle_end(self, connection_id: int, asyncio_task: asyncio.Task[None]) -> None:
        if asyncio_task.cancelled():
            return
        if error := asyncio_task.exception():
            logger.error("a task failed", exc_info=error, extra={"organization": connection_id})
        self._changed()

    # --- All tasks ------------------------------------------------------------------------------

    async def cancel_all(self) -> None:
        """Cancel and forget all tasks; their sockets are closed already."""
        await self._cancel()
        self._tasks.clear()

    async def close(self) -> None:
        """Cancel all tasks, and close their sockets without logging out."""
        await self._cancel()
        closing = (task.close() for task, _ in self._tasks.values())
        await asyncio.gather(*closing, return_exceptions=True)

    async def _cancel(self) -> None:
        tasks = [asyncio_task for _, asyncio_task in self._tasks.values()]
        for asyncio_task in tasks:
            asyncio_task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _linked_number(stores: StoreBackend, connection_id: int, store: str) -> str:
    try:
        return stores.linked_number(connection_id, store)
    except (StoreDamaged, StoreUnusable):
        logger.exception("a store cannot be read", extra={"organization": connection_id})
        return ""


def _find_work(worker: Worker, running: frozenset[int], capacity: Capacity | None) -> list[int]:
    """Return the connections whose task must change, and the unowned ones to claim."""
    found = pending_connections(worker, running, alone=capacity is None)
    urgent, others = unowned_connections()
    if capacity is None:
        return [*found, *others, *urgent]
    # Several workers poll at once: each starts with other connections.
    random.shuffle(others)
    return [
        *found,
        *(urgent if capacity.accepts_urgent else []),
        *others[: capacity.max_claims],
    ]
