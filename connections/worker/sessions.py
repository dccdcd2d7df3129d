"""What runs at this worker: a session for each connection that it owns and has to do with."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from connections import actions, auth_sessions
from connections.actions import Fence
from connections.models import Connection
from connections.worker.client_handle import Link
from connections.worker.connection_task import ConnectionTask

if TYPE_CHECKING:
    from connections.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)

# How late a session that could not be cut short is found to be so again.
LOOK_SECONDS = 0.1


class Sessions:
    """Begins, replaces, ends and hands over sessions; one asyncio task is one of them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
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

    async def reconcile(self, connection_id: int) -> ConnectionTask | None:
        """Give the newest request of a connection its session; end the session of an older one.

        The session that there is then. Without a lease nothing is begun; the next look finds it
        again.
        """
        async with self._reconciling.setdefault(connection_id, asyncio.Lock()):
            await self._reconcile(connection_id)
        session, _ = self._found.get(connection_id, (None, None))
        return session

    async def _reconcile(self, connection_id: int) -> None:
        connection = await self._claim(connection_id) if self._supervisor.held else None
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
        supervisor = self._supervisor
        return supervisor.held and (
            connection is None or connection.worker_id == supervisor.worker.pk
        )

    async def _claim(self, connection_id: int) -> Connection | None:
        """The connection, if this worker owns it now. None when another one has it."""
        supervisor, sharing = self._supervisor, self._supervisor.sharing
        claim = partial(actions.claim, linked_number=_linked_number)
        if not supervisor.shared:
            return await supervisor.db(partial(claim, worker=supervisor.worker), connection_id)
        # Hundreds are wanted at once when a worker has died. One after the other: what is taken
        # runs before the next one is asked for, and leaves less room for it.
        async with self._claiming:
            room, urgent = sharing.room > 0, sharing.has_place
            claim = partial(claim, worker=supervisor.worker, room=room, urgent=urgent, alone=False)
            return await supervisor.db(claim, connection_id)

    async def _let_go(self, connection_id: int) -> None:
        """End a session without logging out, and without a word about it."""
        session, task = self._found[connection_id]
        task.cancel()
        await asyncio.wait([task])
        await session.close()
        del self._found[connection_id]

    def movable(self, everything: bool) -> list[int]:
        """What can be handed over: links that are up first; with `everything`, pairings too."""
        running = {
            pk: session
            for pk, (session, task) in self._found.items()
            if not (task.done() or session.disconnecting)
        }
        up = [pk for pk, session in running.items() if session.link and session.link.connected]
        return [*up, *(running.keys() - up)] if everything else up

    async def hand_over(self, connection_id: int, to: int) -> bool:
        """Close a connection's socket and give it to another worker. Whether that was possible."""
        async with self._reconciling.setdefault(connection_id, asyncio.Lock()):
            session, task = self._found.get(connection_id, (None, None))
            if session is None or task is None or task.done() or session.disconnecting:
                return False
            await self._let_go(connection_id)
            handed: bool = await self._supervisor.db(
                actions.hand_over, connection_id, self._supervisor.worker, to, _linked_number
            )
        if not handed:
            self._supervisor.wake(connection_id)
        return handed

    def _start(self, connection: Connection, link: Link | None) -> None:
        session = ConnectionTask(self._supervisor, connection, link)
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


def _linked_number(connection_id: int, store: str) -> str:
    try:
        return auth_sessions.linked_number(connection_id, store)
    except (auth_sessions.Damaged, auth_sessions.Unusable):
        logger.exception("a store cannot be read", extra={"organization": connection_id})
        return ""
