"""The supervisor: compares what is wanted with what runs, and runs what is missing.

It is told of requests over the channel layer and looks by itself every few seconds, so that a lost
message costs time and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import IO, TypeVar

from channels.layers import get_channel_layer
from django.conf import settings

from connections import actions, broadcast, simulator_bridge
from connections.models import Worker
from connections.stores import store_backend
from connections.worker import single_worker
from connections.worker.balancing import Sharing
from connections.worker.database import AWAY, Database
from connections.worker.hosts.client import Link
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import Host
from connections.worker.hosts.pool import HostPool
from connections.worker.hosts.store_template import StoreTemplate
from connections.worker.lease import Lease, Report
from connections.worker.tasks.context import TaskContext
from connections.worker.tasks.self_test import send_waiting
from connections.worker.tasks.sessions import Capacity, Sessions

logger = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 2.0
# Where signals stay in this process, none is lost on its way.
POLL_ALONE_SECONDS = 3.0
RUN_SECONDS = 0.2
# A stop ends within ten seconds, whatever is under way: so long for the sockets, then for the rest.
STOP_SECONDS = 6.0
FAREWELL_SECONDS = 1.5
JOIN_AGAIN_SECONDS = 3600.0


class Supervisor:
    """Holds the connections that this worker owns.

    `drain_seconds`: how long a stop may take to hand them over to other workers, if there are any.
    """

    def __init__(self, drain_seconds: float = 0.0) -> None:
        # SQLite has one worker; a lock file sees to it.
        self.shared = Worker.are_shared()
        self._poll_seconds = POLL_SECONDS if self.shared else POLL_ALONE_SECONDS
        self._drain_seconds = drain_seconds
        name = f"{socket.gethostname()}:{os.getpid()}"
        self._lease = Lease(name, self.shared, self._report)
        environment = simulator_bridge.host_environment()
        self.fork_server = ForkServer(environment, settings.WARM_HOSTS, self._lease.descriptor)
        self._database = Database()
        self._stores = store_backend()
        self._hosts = HostPool(self.fork_server)
        self._template = StoreTemplate()
        self.context = TaskContext(
            get_worker=lambda: self.worker,
            db=self.db,
            to_thread=asyncio.to_thread,
            stores=self._stores,
            clients=self,
        )
        self.connect_limiter = self.context.connect_limiter
        self.sessions = Sessions(self.context, lambda: self.held, self._capacity, self.wake)
        self._woken: asyncio.Queue[int] = asyncio.Queue()
        self.sharing = Sharing(self.context, self.sessions)
        self._lock_file: IO[str] | None = None

    async def db(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a database function, however long the database is away."""
        return await self._database.run(function, *arguments)

    # --- Its life -------------------------------------------------------------------------------

    @property
    def worker(self) -> Worker:
        """The worker that this is at the moment; it becomes another one when its lease is lost."""
        assert self._lease.worker is not None
        return self._lease.worker

    @property
    def held(self) -> bool:
        """Whether this worker may hold sockets at this moment."""
        return self._lease.held

    def _capacity(self) -> Capacity | None:
        if not self.shared:
            return None
        return Capacity(self.sharing.room, self.sharing.has_place, self.sharing.tries)

    def wake(self, connection_id: int) -> None:
        """Look at a connection soon."""
        self._woken.put_nowait(connection_id)

    def _report(self) -> Report:
        return Report(self.connect_limiter.outdated_since, self.sessions.load, self._hosts.count)

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> None:
        """Until `stop` is set; with `hurry`, without handing over.

        Raises AlreadyRunning, and StoresNotIsolated of auth_sessions.
        """
        if not self.shared:
            self._lock_file = single_worker.lock_folder()
        await self.db(self._stores.check)
        await self._lease.begin()
        try:
            if self.shared and not settings.REDIS_URL:
                await single_worker.ensure_alone(self.worker, self.db)
        except single_worker.AlreadyRunning:
            self._lease.stop()
            await self.db(actions.stop_worker, self.worker)
            raise
        await self.sharing.look()
        self.fork_server.fill()
        tasks = self._start_duties()
        logger.info("supervisor started", extra={"worker": self.worker.pk})
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # Its exception ends the supervisor, and is seen.
            await self._drain(hurry or asyncio.Event())
        finally:
            for waiting in (stopped, *tasks):
                waiting.cancel()
            await asyncio.gather(stopped, *tasks, return_exceptions=True)
            await self._close()

    def _start_duties(self) -> list[asyncio.Task[None]]:
        duties = {
            "listen": self._listen,
            "poll": self._poll,
            "guard": self._guard,
            "recycle hosts": self._hosts.recycle,
            "template": self._make_template,
            "runs": self._advance_runs,
            **({"share": self.sharing.round} if self.shared else {}),
        }
        tasks = [
            asyncio.create_task(self._keep(name, duty), name=name) for name, duty in duties.items()
        ]
        return [*tasks, asyncio.create_task(self._reconcile_woken(), name="reconcile")]

    async def _make_template(self) -> None:
        """Once, where stores are files."""
        if settings.AUTH_SESSIONS == "folders":
            await self._template.make(self.fork_server)
        await asyncio.get_running_loop().create_future()

    async def _guard(self) -> None:
        """When the lease is lost, let go of everything at once, and begin as a new worker."""
        await self._lease.lost()
        logger.error("cut off: all sockets are closed until the database can be reached")
        self._hosts.kill()
        self.fork_server.drop()
        await self.sessions.drop()
        await self._lease.begin()
        logger.warning("back, as a new worker", extra={"worker": self.worker.pk})

    async def _drain(self, hurry: asyncio.Event) -> None:
        """Hand over what this worker has to the others, for as long as that may take."""
        if not self.shared or not self._drain_seconds:
            return
        tasks = [asyncio.ensure_future(self._hand_over_all()), asyncio.ensure_future(hurry.wait())]
        await asyncio.wait(tasks, timeout=self._drain_seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hand_over_all(self) -> None:
        """Until this worker has nothing, or nobody takes anything."""
        await self.db(actions.drain_worker, self.worker.pk)
        while self.sessions.load:
            await self.sharing.look()
            if not self.sharing.has_takers:
                return
            await self.sharing.hand_over()
            await asyncio.sleep(RUN_SECONDS)

    async def _close(self) -> None:
        """Close all sockets without logging out, and end the host processes."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.sessions.close()
        except TimeoutError:
            logger.warning("some clients did not close in time; their processes are ended")
        self._hosts.kill()
        await self.fork_server.close()
        self._lease.stop()
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._database.run_once(actions.stop_worker, self.worker)
        except (TimeoutError, *AWAY):
            logger.warning("the stop could not be written down; the heartbeat will tell")
        self._database.close()
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

    async def _advance_runs(self) -> None:
        """A step of what people asked of many connections at once."""
        busy = await self.db(actions.advance_runs)
        await asyncio.sleep(RUN_SECONDS if busy else self._poll_seconds)

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
                        self.wake(message["connection"])

    async def _poll(self) -> None:
        if self.shared:
            await self.sharing.look()
        for connection_id in await self.sessions.find_work():
            self.wake(connection_id)
        await asyncio.sleep(self._poll_seconds)

    async def _reconcile_woken(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                connection_id = await self._woken.get()
                tasks.create_task(self._reconcile_or_tell(connection_id))

    async def _reconcile_or_tell(self, connection_id: int) -> None:
        try:
            session = await self.sessions.reconcile(connection_id)
            # One that has just been asked to connect or to leave sends no test.
            if session is not None and not session.requested:
                await send_waiting(session)
        except Exception:
            # The next look finds the same request again.
            logger.exception("not reconciled", extra={"organization": connection_id})

    # --- Where clients run (`Clients` of the tasks' context) ------------------------------------

    async def open(self, connection_id: int, store: str, alone: bool = False) -> Link:
        """Resume a store's device in a session host. Raises HostBroken."""
        return await self._hosts.open(self._stores.database(connection_id, store), alone)

    def evict(self, connection_id: int, store: str) -> bool:
        """End whatever here may still hold a store's device. Return whether there was any."""
        return self._hosts.evict(self._stores.database(connection_id, store))

    async def take_host(self) -> Host:
        """Return a host process that runs nothing yet. Raises HostBroken."""
        return await self.fork_server.take()

    def blank_store(self) -> bytes:
        """Return the file of a store that has its tables, b"" for none."""
        return self._template.content
