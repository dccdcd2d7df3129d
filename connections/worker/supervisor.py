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
from django.db import close_old_connections
from django.db.models import F, Q

from connections import actions, auth_sessions, broadcast, lock, sandbox
from connections.lifecycle import LIVE, Desired
from connections.models import Connection, Worker
from connections.worker.host import Host, Link, Mould
from connections.worker.session import Session

logger = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 2.0
HEARTBEAT_SECONDS = 5.0
STOP_SECONDS = 8.0
JOIN_AGAIN_SECONDS = 3600.0


class AlreadyRunning(Exception):
    """Another worker is running on this data folder. Stop it first."""


class Supervisor:
    """Holds every connection of this machine."""

    def __init__(self) -> None:
        self.mould = Mould(sandbox.host_environment(), settings.SPARE_HOSTS)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="supervisor-db")
        self._sessions: dict[int, tuple[Session, asyncio.Task[None]]] = {}
        self._hosts: list[Host] = []
        self._opening = asyncio.Lock()
        self._woken: asyncio.Queue[int] = asyncio.Queue()
        self._reconciling: dict[int, asyncio.Lock] = {}
        self._worker: Worker | None = None
        self._lock_file: IO[str] | None = None

    async def db(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a database function on this supervisor's one database thread."""
        call = partial(_with_fresh_connection, function, *arguments)
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
        sessions = [task for _, task in self._sessions.values()]
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        links = [session.link for session, _ in self._sessions.values() if session.link]
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(*(link.close() for link in links), return_exceptions=True)
        except TimeoutError:
            logger.warning("some clients did not close in time; their processes are ended")
        for host in self._hosts:
            host.kill()
        await self.mould.close()
        if self._worker is not None:
            await self.db(actions.stop_worker, self._worker)
        self._executor.shutdown()
        if self._lock_file is not None:
            self._lock_file.close()
        logger.info("supervisor stopped")

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
        await self.db(actions.heartbeat, self._worker)
        await asyncio.sleep(HEARTBEAT_SECONDS)

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
        organization is deactivated, or should run them and does not.
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
        )
        return list(neglected.values_list("pk", flat=True))

    async def _reconcile_woken(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                connection_id = await self._woken.get()
                tasks.create_task(self._reconcile_or_tell(connection_id))

    async def _reconcile_or_tell(self, connection_id: int) -> None:
        try:
            await self._reconcile(connection_id)
        except Exception:
            # The next look finds the same request again.
            logger.exception("not reconciled", extra={"organization": connection_id})

    async def _reconcile(self, connection_id: int) -> None:
        """Give the newest request of a connection its session; end the session of an older one."""
        assert self._worker is not None
        async with self._reconciling.setdefault(connection_id, asyncio.Lock()):
            claim = partial(
                actions.claim, worker=self._worker, linked_number=auth_sessions.linked_number
            )
            connection = await self.db(claim, connection_id)
            session, task = self._sessions.get(connection_id, (None, None))
            wanted = self._wants_session(connection)
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

    def _wants_session(self, connection: Connection) -> bool:
        if connection.logout_wanted:
            return True
        if not connection.organization.is_active:
            return False
        if connection.begun_generation < connection.generation:
            return True
        wanted = connection.desired == Desired.CONNECTED and connection.state in LIVE
        return wanted and bool(connection.store)

    def _start(self, connection: Connection, link: Link | None) -> None:
        session = Session(self, connection, link)
        task = asyncio.create_task(session.run(), name=f"session {connection.pk}")
        self._sessions[connection.pk] = (session, task)
        task.add_done_callback(partial(self._ended, connection.pk))

    def _ended(self, connection_id: int, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            logger.error("a session broke", exc_info=error, extra={"organization": connection_id})

    # --- Where sessions run ---------------------------------------------------------------------

    async def open(self, connection_id: int, store: str) -> Link:
        """Resume a store's device in a session host that has room. Raises HostBroken."""
        async with self._opening:
            host = await self._host_with_room()
            return host.open(auth_sessions.database(connection_id, store))

    async def _host_with_room(self) -> Host:
        for host in list(self._hosts):
            if not host.alive or (host.retired and not host.sessions):
                self._hosts.remove(host)
                host.kill()
            elif not host.retired and host.sessions < settings.SESSIONS_PER_HOST:
                return host
        host = await self.mould.take()
        self._hosts.append(host)
        return host


def _with_fresh_connection(function: Callable[..., T], *arguments: object) -> T:
    close_old_connections()
    return function(*arguments)
