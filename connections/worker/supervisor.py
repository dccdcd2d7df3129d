"""The supervisor: compares what is wanted with what runs, and runs what is missing.

It hears of requests over the channel layer and looks by itself every few seconds, so that a lost
message costs time and nothing else. One asyncio task is one connection's session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, TypeVar

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db import connection as database
from django.db.models import Case, F, Q, When

from connections import actions, auth_sessions, broadcast, lock, sandbox
from connections.lifecycle import LIVE, Desired, State
from connections.models import Connection, SelfTest, Worker
from connections.worker.dialling import Dialling
from connections.worker.host import Link
from connections.worker.hosts import SessionHosts
from connections.worker.mould import Mould
from connections.worker.self_test import send_waiting
from connections.worker.session import Session

logger = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 2.0
HEARTBEAT_SECONDS = 5.0
RUN_SECONDS = 0.2
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 5.0
# A stop ends within ten seconds, whatever is under way: so long for the sockets, then for the rest.
STOP_SECONDS = 6.0
FAREWELL_SECONDS = 1.5
JOIN_AGAIN_SECONDS = 3600.0


class AlreadyRunning(Exception):
    """Another worker is running on this data folder. Stop it first."""


class Supervisor:
    """Holds every connection of this machine."""

    def __init__(self) -> None:
        self.mould = Mould(sandbox.host_environment(), settings.SPARE_HOSTS)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="supervisor-db")
        self._sessions: dict[int, tuple[Session, asyncio.Task[None]]] = {}
        self._hosts = SessionHosts(self.mould)
        self.dialling = Dialling()
        self._database_away = False
        self._woken: asyncio.Queue[int] = asyncio.Queue()
        self._reconciling: dict[int, asyncio.Lock] = {}
        self._worker: Worker | None = None
        self._lock_file: IO[str] | None = None

    async def db(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a database function on this supervisor's one database thread.

        While the database is away it is tried again for as long as it takes: sockets stay open
        meanwhile, and what they say is written down afterwards.
        """
        wait = FIRST_RETRY_SECONDS
        while True:
            try:
                found = await self._db_once(function, *arguments)
            except (OperationalError, InterfaceError) as error:
                if not self._database_away:
                    self._database_away = True
                    logger.error("the database is away: %s", error)
            else:
                if self._database_away:
                    self._database_away = False
                    logger.warning("the database is back")
                return found
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_RETRY_SECONDS)

    async def _db_once(self, function: Callable[..., T], *arguments: object) -> T:
        call = partial(_with_own_connection, function, *arguments)
        return await sync_to_async(call, thread_sensitive=False, executor=self._executor)()

    # --- Its life -------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises AlreadyRunning."""
        self._lock()
        self._worker = await self.db(actions.start_worker, f"{socket.gethostname()}:{os.getpid()}")
        self.mould.fill()
        tasks = [
            asyncio.create_task(coroutine, name=name)
            for name, coroutine in (
                ("listen", self._keep("listen", self._listen)),
                ("poll", self._keep("poll", self._poll)),
                ("heartbeat", self._keep("heartbeat", self._heartbeat)),
                ("relieve", self._keep("relieve", self._hosts.relieve)),
                ("runs", self._keep("runs", self._advance_runs)),
                ("reconcile", self._reconcile_woken()),
            )
        ]
        logger.info("supervisor started", extra={"worker": self._worker.pk})
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # Its exception ends the supervisor, and is seen.
        finally:
            for waiting in (stopped, *tasks):
                waiting.cancel()
            await asyncio.gather(stopped, *tasks, return_exceptions=True)
            await self._close()

    def _lock(self) -> None:
        try:
            self._lock_file = lock.exclusive(settings.DATA_DIR / "worker.lock")
        except lock.Locked as error:
            raise AlreadyRunning(AlreadyRunning.__doc__) from error

    async def _close(self) -> None:
        """Close all sockets without logging out, and end the host processes."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._close_sessions()
        except TimeoutError:
            logger.warning("some clients did not close in time; their processes are ended")
        self._hosts.kill()
        await self.mould.close()
        if self._worker is not None:
            try:
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await self._db_once(actions.stop_worker, self._worker)
            except (TimeoutError, OperationalError, InterfaceError):
                logger.warning("the stop could not be written down; the heartbeat will tell")
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._lock_file is not None:
            self._lock_file.close()
        logger.info("supervisor stopped")

    async def _close_sessions(self) -> None:
        sessions = [task for _, task in self._sessions.values()]
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        closing = (session.close() for session, _ in self._sessions.values())
        await asyncio.gather(*closing, return_exceptions=True)

    async def _keep(self, name: str, function: Callable[[], Awaitable[None]]) -> None:
        """Run a duty for ever. What breaks it (a database away) is told, and it goes on."""
        while True:
            try:
                await function()
            except Exception:
                logger.exception("a duty broke off", extra={"duty": name})
                await asyncio.sleep(POLL_SECONDS)

    async def _heartbeat(self) -> None:
        assert self._worker is not None
        await self.db(actions.heartbeat, self._worker, self.dialling.outdated_since)
        await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _advance_runs(self) -> None:
        """A step of what people asked of many connections at once."""
        busy = await self.db(actions.advance_runs)
        await asyncio.sleep(RUN_SECONDS if busy else POLL_SECONDS)

    # --- Who wants something --------------------------------------------------------------------

    async def _listen(self) -> None:
        layer = get_channel_layer()
        assert layer is not None
        channel = await layer.new_channel()
        while True:
            # Channel layers forget the members of a group after a day.
            await layer.group_add(broadcast.WORKERS, channel)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(JOIN_AGAIN_SECONDS):
                    while True:
                        message = await layer.receive(channel)
                        self._woken.put_nowait(message["connection"])

    async def _poll(self) -> None:
        running = frozenset(pk for pk, (_, task) in self._sessions.items() if not task.done())
        for connection_id in await self.db(self._neglected, running):
            self._woken.put_nowait(connection_id)
        await asyncio.sleep(POLL_SECONDS)

    def _neglected(self, running: frozenset[int]) -> list[int]:
        """Connections whose sessions are not as they should be.

        This worker does not own them, has not begun their newest request, runs them although the
        organization is deactivated, or should run them and does not; or a test message waits.
        """
        assert self._worker is not None
        unbegun = Q(generation__gt=F("begun_generation"), organization__deactivated_at=None)
        resting = Q(organization__deactivated_at__isnull=False)
        linked = ~Q(store="") & Q(desired=Desired.CONNECTED, state__in=LIVE) & ~resting
        neglected = Connection.objects.filter(
            ~Q(worker=self._worker)
            | Q(worker=None)
            | unbegun
            | (resting & Q(pk__in=running))
            | (linked & ~Q(pk__in=running))
            | Q(pk__in=SelfTest.waiting().values("connection"))
        )
        # Those that people rely on right now come first.
        newest = Case(When(state=State.CONNECTED, then=0), default=1)
        return list(neglected.order_by(newest, "pk").values_list("pk", flat=True))

    async def _reconcile_woken(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                connection_id = await self._woken.get()
                tasks.create_task(self._reconcile_or_tell(connection_id))

    async def _reconcile_or_tell(self, connection_id: int) -> None:
        try:
            await self._reconcile(connection_id)
            if connection_id in self._sessions:
                await send_waiting(self._sessions[connection_id][0])
        except Exception:
            # The next look finds the same request again.
            logger.exception("not reconciled", extra={"organization": connection_id})

    async def _reconcile(self, connection_id: int) -> None:
        """Give the newest request of a connection its session; end the session of an older one."""
        assert self._worker is not None
        async with self._reconciling.setdefault(connection_id, asyncio.Lock()):
            claim = partial(actions.claim, worker=self._worker, linked_number=_linked_number)
            connection = await self.db(claim, connection_id)
            session, task = self._sessions.get(connection_id, (None, None))
            wanted = connection.wants_session
            if session is not None and task is not None:
                newest = session.fence.generation == connection.generation
                rests = not connection.organization.is_active and not connection.logout_wanted
                if newest and (not wanted if task.done() else not rests):
                    return
                if not session.disconnecting:
                    task.cancel()
                await asyncio.wait([task])
            if wanted:
                self._start(connection, session.link if session else None)
            elif session is not None:
                await session.pause()

    def _start(self, connection: Connection, link: Link | None) -> None:
        session = Session(self, connection, link)
        task = asyncio.create_task(session.run(), name=f"session {connection.pk}")
        self._sessions[connection.pk] = (session, task)
        task.add_done_callback(partial(self._ended, connection.pk))

    def _ended(self, connection_id: int, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            logger.error("a session broke", exc_info=error, extra={"organization": connection_id})

    # --- Where sessions run ---------------------------------------------------------------------

    async def open(self, connection_id: int, store: str, alone: bool = False) -> Link:
        """Resume a store's device in a session host. Raises HostBroken."""
        return await self._hosts.open(auth_sessions.database(connection_id, store), alone)

    def evict(self, connection_id: int, store: str) -> bool:
        """End whatever of this worker's own may hold a store's device. Whether there was any."""
        return self._hosts.evict(auth_sessions.database(connection_id, store))


def _linked_number(connection_id: int, store: str) -> str:
    try:
        return auth_sessions.linked_number(connection_id, store)
    except (auth_sessions.Damaged, auth_sessions.Unusable):
        logger.exception("a store cannot be read", extra={"organization": connection_id})
        return ""


def _with_own_connection(function: Callable[..., T], *arguments: object) -> T:
    # One thread, one connection: Django's own rule would open a new one for every call.
    database.close_at = None
    database.close_if_unusable_or_obsolete()
    return function(*arguments)
