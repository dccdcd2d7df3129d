"""What runs at this worker: a task for each connection that it owns and has something to do for."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from connections import actions
from connections.actions import Fence
from connections.models import Connection, Worker
from connections.stores import StoreDamaged, StoreUnusable
from connections.stores.base import StoreBackend
from connections.worker.hosts.client import Link
from connections.worker.pending_work import pending_connections, unowned_connections
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.tasks.context import TaskContext

logger = logging.getLogger(__name__)

# How late a task that could not be cut short is found to be so again.
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Capacity:
    """How much more a worker may take, where several share the connections."""

    room: int  # of what comes back by itself
    urgent: bool  # whether it may take one that a person waits for
    tries: int  # how many are worth a try: others may get there first


class Sessions:
    """Starts, replaces, ends and hands over tasks; each is the session of one connection.

    `is_held`: whether this worker may hold sockets at this moment. `capacity`: what it may take,
    None when it is alone and takes everything. `wake`: has a connection reconciled soon.
    """

    def __init__(
        self,
        context: TaskContext,
        is_held: Callable[[], bool],
        capacity: Callable[[], Capacity | None],
        wake: Callable[[int], None],
    ) -> None:
        self._context = context
        self._is_held = is_held
        self._capacity = capacity
        self._wake = wake
        self._linked_number = partial(_linked_number, context.stores)
        self._found: dict[int, tuple[ConnectionTask, asyncio.Task[None]]] = {}
        self._reconciling: dict[int, asyncio.Lock] = {}
        self._claiming = asyncio.Lock()

    @property
    def running(self) -> frozenset[int]:
        """The connections that it has something to do for."""
        return frozenset(pk for pk, (_, task) in self._found.items() if not task.done())

    @property
    def load(self) -> int:
        """How many these are."""
        return len(self.running)

    async def find_work(self) -> list[int]:
        """Return the connections to reconcile: what is not as it should be, or has no worker."""
        worker = self._context.get_worker()
        return await self._context.db(_find_work, worker, self.running, self._capacity())

    async def reconcile(self, connection_id: int) -> ConnectionTask | None:
        """Give the newest request of a connection its task; end the task of an older one.

        Return the task that there is then. Without a lease nothing is begun; the next look finds it
        again.
        """
        async with self._reconciling.setdefault(connection_id, asyncio.Lock()):
            await self._reconcile(connection_id)
        session, _ = self._found.get(connection_id, (None, None))
        return session

    async def _reconcile(self, connection_id: int) -> None:
        connection = await self._claim(connection_id) if self._is_held() else None
        if not self._may_go_on_with(connection):
            return
        session, task = self._found.get(connection_id, (None, None))
        if connection is None:
            if session is not None:
                await self._let_go(connection_id)
            return
        wanted = connection.wants_session
        if session is not None and task is not None:
            newest = session.fence == Fence.of(connection)
            rests = not connection.organization.is_active and not connection.logout_pending
            if newest and (not wanted if task.done() else not rests):
                return
            while session.disconnecting and not task.done():
                await asyncio.wait([task], timeout=LOOK_SECONDS)
            task.cancel()
            await asyncio.wait([task])
            if not self._may_go_on_with(connection):
                return
        if wanted:
            self._start(connection, session.link if session else None)
        elif session is not None:
            await session.pause()

    def _may_go_on_with(self, connection: Connection | None) -> bool:
        """Whether the lease is held, and was not lost since this was claimed."""
        return self._is_held() and (
            connection is None or connection.worker_id == self._context.get_worker().pk
        )

    async def _claim(self, connection_id: int) -> Connection | None:
        """Return the connection, if this worker owns it now. None when another one has it."""
        claim = partial(actions.claim, linked_number=self._linked_number)
        if self._capacity() is None:
            worker = self._context.get_worker()
            return await self._context.db(partial(claim, worker=worker), connection_id)
        # Hundreds are wanted at once when a worker has died. One after the other: what is taken
        # runs before the next one is asked for, and leaves less room for it.
        async with self._claiming:
            worker, capacity = self._context.get_worker(), self._capacity()
            room = capacity is None or capacity.room > 0
            urgent = capacity is None or capacity.urgent
            claim = partial(claim, worker=worker, room=room, urgent=urgent, alone=False)
            return await self._context.db(claim, connection_id)

    async def _let_go(self, connection_id: int) -> None:
        """End a task without logging out, and without writing anything about it."""
        session, task = self._found[connection_id]
        task.cancel()
        await asyncio.wait([task])
        await session.close()
        del self._found[connection_id]

    def movable(self, everything: bool) -> list[int]:
        """Return what can be handed over: links that are up; with `everything`, the others too."""
        running = {
            pk: session
            for pk, (session, task) in self._found.items()
            if not (task.done() or session.disconnecting)
        }
        up = [pk for pk, session in running.items() if session.link and session.link.connected]
        return [*up, *(running.keys() - up)] if everything else up

    async def hand_over(self, connection_id: int, to: int) -> bool:
        """Close a connection's socket and give it to another worker. Return whether it could."""
        async with self._reconciling.setdefault(connection_id, asyncio.Lock()):
            session, task = self._found.get(connection_id, (None, None))
            if session is None or task is None or task.done() or session.disconnecting:
                return False
            await self._let_go(connection_id)
            worker = self._context.get_worker()
            handed: bool = await self._context.db(
                actions.hand_over, connection_id, worker, to, self._linked_number
            )
        if not handed:
            self._wake(connection_id)
        return handed

    def _start(self, connection: Connection, link: Link | None) -> None:
        session = ConnectionTask(self._context, connection, link)
        task = asyncio.create_task(session.run(), name=f"session {connection.pk}")
        self._found[connection.pk] = (session, task)
        task.add_done_callback(partial(self._ended, connection.pk))

    def _ended(self, connection_id: int, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            logger.error("a session broke", exc_info=error, extra={"organization": connection_id})

    # --- The end of all of them -----------------------------------------------------------------

    async def drop(self) -> None:
        """Forget them all; their sockets are closed already."""
        await self._cancel()
        self._found.clear()

    async def close(self) -> None:
        """Close all sockets without logging out."""
        await self._cancel()
        closing = (session.close() for session, _ in self._found.values())
        await asyncio.gather(*closing, return_exceptions=True)

    async def _cancel(self) -> None:
        tasks = [task for _, task in self._found.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _linked_number(stores: StoreBackend, connection_id: int, store: str) -> str:
    try:
        return stores.linked_number(connection_id, store)
    except (StoreDamaged, StoreUnusable):
        logger.exception("a store cannot be read", extra={"organization": connection_id})
        return ""


def _find_work(worker: Worker, running: frozenset[int], capacity: Capacity | None) -> list[int]:
    """What is not as it should be here, and what nobody has and this worker should take."""
    found = pending_connections(worker, running, alone=capacity is None)
    urgent, others = unowned_connections()
    if capacity is None:
        return [*found, *others, *urgent]
    # Several workers look at once: each begins elsewhere.
    random.shuffle(others)
    return [*found, *(urgent if capacity.urgent else []), *others[: capacity.tries]]
