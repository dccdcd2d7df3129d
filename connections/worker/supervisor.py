"""The supervisor: starts and ends the tasks of the connections that this worker owns.

The channel layer notifies it of requests. It also polls the database every few seconds, so a lost
notification only delays a request.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, Any, TypeVar

from django.conf import settings

from connections import actions, broadcast, simulator_bridge
from connections.actions.activity import CONNECTION_TASKS
from connections.database_outages import DATABASE_UNAVAILABLE
from connections.models import Worker
from connections.stores import store_backend
from connections.worker import single_worker
from connections.worker.background import start_tasks
from connections.worker.balancing import Balancer
from connections.worker.chores import Chores
from connections.worker.clients import WorkerClients
from connections.worker.database import Database
from connections.worker.database_batches import BatchingDatabase
from connections.worker.draining import Draining
from connections.worker.duties import Duty
from connections.worker.gathering import Gatherer
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.lease import Lease, Report
from connections.worker.listening import listen
from connections.worker.message_port import MessagePort
from connections.worker.polling import PollTimer, WorkPolls
from connections.worker.reconciling import Reconciling
from connections.worker.tasks.context import TaskContext
from connections.worker.tasks.self_test import send_pending_test
from connections.worker.tasks.task_runner import Capacity, TaskRunner
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.traffic import MessageTraffic

logger = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 2.0
# For a single worker, whose signals stay in this process and are never lost.
POLL_SINGLE_SECONDS = 3.0
# Requests that a shell or a command makes about a connection are found within this time.
SAFETY_SECONDS = 5.0
EVENTS_AT_ONCE = 25
STORAGE_THREADS = 10
# A stop ends within ten seconds: time to close the sockets, then to record the stop.
CLOSE_TIMEOUT_SECONDS = 5.0
DRAIN_SPOOLS_SECONDS = 1.5
RECORD_STOP_SECONDS = 1.5


class Supervisor:
    """Runs the connections that this worker owns.

    `messages`: where their messages go. `drain_seconds`: how long a stop may take to hand them over
    to other workers. `duties`: what else this worker does.
    """

    def __init__(
        self, messages: MessagePort, drain_seconds: float = 0.0, duties: Sequence[Duty] = ()
    ) -> None:
        # SQLite has a single worker, which holds a lock file.
        self.shared = Worker.are_shared()
        poll_seconds = POLL_SECONDS if self.shared else POLL_SINGLE_SECONDS
        self._poll_timer = PollTimer(poll_seconds, SAFETY_SECONDS)
        self._drain_seconds = drain_seconds
        self._duties = duties
        name = f"{socket.gethostname()}:{os.getpid()}"
        self._lease = Lease(name, self.shared, self._report)
        environment = simulator_bridge.host_environment()
        self.fork_server = ForkServer(environment, settings.WARM_HOSTS, self._lease.descriptor)
        self._database = Database()
        # Of their own: a burst of messages delays no other write, and none the other way.
        self._outgoing_database, self._incoming_database = _message_databases(self.shared)
        self._upkeep_database = Database()
        self._storage_threads = ThreadPoolExecutor(STORAGE_THREADS, thread_name_prefix="storage")
        self._stores = store_backend()
        self._clients = WorkerClients(
            self.fork_server,
            self._stores,
            lambda *client: self.traffic.follow(*client),
            self.db,
            lambda: self.connect_limiter.blocked,
        )
        self.context = TaskContext(
            get_worker=lambda: self.worker,
            db=self.db,
            to_thread=asyncio.to_thread,
            stores=self._stores,
            clients=self._clients,
            find_lost=lambda *store: self.traffic.find_lost(*store),
            link_events=Gatherer(self.db, actions.record_events, EVENTS_AT_ONCE),
        )
        self.connect_limiter = self.context.connect_limiter
        self.task_runner = TaskRunner(
            self.context, lambda: self.held, self._capacity, self.wake, self._handle_task_change
        )
        self.traffic = MessageTraffic(
            TrafficContext(
                port=messages,
                tasks=lambda: self.task_runner.tasks,
                get_worker=lambda: self.worker,
                lease_held=lambda: self.held,
                db=self._outgoing_database.run,
                incoming_db=self._incoming_database.run,
                upkeep_db=self._upkeep_database.run,
                to_thread=asyncio.to_thread,
                to_storage=self._to_storage,
                stores=self._stores,
            )
        )
        self._reconciling = Reconciling(self._reconcile_and_test, self._resume)
        self.balancer = Balancer(self.context, self.task_runner)
        self._draining = Draining(self._database, self._lease, self.balancer, self.task_runner)
        self._chores = Chores(self.db)
        self._polls = WorkPolls(self._wakers)
        self._lock_file: IO[str] | None = None

    async def db(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a database function, and retry while the database is unavailable."""
        return await self._database.run(function, *arguments)

    async def _to_storage(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that uses the storage of files."""
        call = partial(function, *arguments)
        return await asyncio.get_running_loop().run_in_executor(self._storage_threads, call)

    # --- Start and stop -------------------------------------------------------------------------

    @property
    def worker(self) -> Worker:
        """Return this worker's row; a lost lease replaces it."""
        assert self._lease.worker is not None
        return self._lease.worker

    @property
    def held(self) -> bool:
        """Return whether this worker may hold sockets now."""
        return self._lease.held

    def _capacity(self) -> Capacity | None:
        if not self.shared:
            return None
        return Capacity(
            self.balancer.free_slots, self.balancer.accepts_urgent, self.balancer.max_claims
        )

    def wake(self, connection_id: int) -> None:
        """Reconcile a connection soon."""
        self._reconciling.request(connection_id)

    @property
    def _wakers(self) -> dict[str, Callable[[], None]]:
        """What wakes each poll, by the kind of its work."""
        wakers: dict[str, Callable[[], None]] = {CONNECTION_TASKS: self._poll_timer.wake}
        wakers |= self._chores.wakers | self.traffic.wakers
        for duty in self._duties:
            wakers |= duty.wakers
        return wakers

    def _report(self) -> Report:
        return Report(
            self.connect_limiter.outdated_since, self.task_runner.load, self._clients.hosts.count
        )

    async def run(self, stop: asyncio.Event, skip_drain: asyncio.Event | None = None) -> None:
        """Run until `stop` is set, then drain until `skip_drain` is set.

        Raises AlreadyRunning and StoresNotIsolated.
        """
        if not self.shared:
            self._lock_file = single_worker.lock_folder()
        stopped = asyncio.ensure_future(stop.wait())
        starting = asyncio.ensure_future(self._start())
        try:
            # A database that is away does not keep a worker from being stopped.
            await asyncio.wait([stopped, starting], return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                return await self._close()
            starting.result()  # Raises why it may not start.
            await self._run_until(stopped, skip_drain or asyncio.Event())
        finally:
            starting.cancel()
            stopped.cancel()

    async def _start(self) -> None:
        """Register, and check that this worker may run.

        Raises AlreadyRunning and StoresNotIsolated.
        """
        await self.db(self._stores.check)
        await self._lease.acquire()
        try:
            if self.shared and not settings.REDIS_URL:
                await single_worker.ensure_alone(self.worker, self.db)
        except single_worker.AlreadyRunning:
            self._lease.stop()
            await self.db(actions.stop_worker, self.worker)
            raise
        await self.balancer.refresh()

    async def _run_until(self, stopped: asyncio.Future[Any], skip_drain: asyncio.Event) -> None:
        """Run the background tasks until the stop, then hand over and close."""
        self.fork_server.fill()
        tasks = self._start_background_tasks()
        logger.info("supervisor started", extra={"worker": self.worker.pk})
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # Raises its exception, which ends the supervisor.
            if self.shared and self._drain_seconds:
                await self._draining.run(self._drain_seconds, skip_drain)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()

    def _start_background_tasks(self) -> list[asyncio.Task[None]]:
        functions: dict[str, Callable[[], Awaitable[None]]] = {
            "listen": partial(listen, broadcast.WORKERS, self._handle_request),
            "listen for work": partial(listen, broadcast.WORK, self._polls.handle_signal),
            "poll": self._poll,
            "lease": self._replace_lost_lease,
            "recycle hosts": self._clients.hosts.recycle,
            "store template": self._clients.make_template,
            **self._chores.background_tasks,
            **self.traffic.background_tasks,
            **({"watch workers": self._watch_workers} if self.shared else {}),
            **({"watch signals": self._polls.watch_signals} if settings.REDIS_URL else {}),
        }
        for duty in self._duties:
            functions |= duty.background_tasks
            functions |= {
                f"listen to {group}": partial(listen, group, notify)
                for group, notify in duty.listeners.items()
            }
        return [
            *start_tasks(functions),
            asyncio.create_task(self._reconciling.run(), name="reconcile"),
        ]

    async def _replace_lost_lease(self) -> None:
        """Wait until the lease is lost; then close all sockets and register as a new worker."""
        await self._lease.wait_until_lost()
        logger.error("the lease is lost: all sockets are closed until the database answers")
        self._clients.hosts.kill()
        self.fork_server.kill_warm_hosts()
        await self.task_runner.cancel_all()
        await self._lease.acquire()
        self._polls.wake_all()
        logger.warning("registered as a new worker", extra={"worker": self.worker.pk})

    async def _close(self) -> None:
        """Close all sockets without logging out, and end the host processes."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                ends = (self.task_runner.close(), *(duty.close() for duty in self._duties))
                for error in await asyncio.gather(*ends, return_exceptions=True):
                    if isinstance(error, BaseException):
                        logger.error("a part of the worker did not end well", exc_info=error)
        except TimeoutError:
            logger.warning("some clients did not close in time; killing their processes")
        self._clients.hosts.kill()
        await self._drain_spools()
        await self.fork_server.close()
        self._lease.stop()
        if self._lease.worker is not None:
            await self._record_stop(self._lease.worker)
        self._database.close()
        self._outgoing_database.close()
        self._incoming_database.close()
        self._upkeep_database.close()
        self._storage_threads.shutdown(wait=False, cancel_futures=True)
        if self._lock_file is not None:
            self._lock_file.close()
        logger.info("supervisor stopped")

    async def _record_stop(self, worker: Worker) -> None:
        try:
            async with asyncio.timeout(RECORD_STOP_SECONDS):
                await self._database.run_once(actions.stop_worker, worker)
        except (TimeoutError, *DATABASE_UNAVAILABLE):
            logger.warning("the stop could not be recorded; the heartbeat will expire")

    async def _drain_spools(self) -> None:
        """Store what came in last. What is not stored in time is stored at the next start."""
        try:
            async with asyncio.timeout(DRAIN_SPOOLS_SECONDS):
                await self.traffic.close()
        except TimeoutError:
            logger.warning("messages are left for the next start")

    # --- Requests -------------------------------------------------------------------------------

    async def _handle_request(self, message: Mapping[str, Any]) -> None:
        self.wake(message["connection"])

    def _handle_task_change(self) -> None:
        """Look at what follows: the database may want another task, or the link messages."""
        self._poll_timer.wake()
        self.traffic.handle_connected()

    async def _poll(self) -> None:
        if self.shared:
            await self.balancer.refresh()
        found = await self.task_runner.find_work()
        self._reconciling.find(found)
        # Again until nothing is left: some fail, or wait for room at a worker.
        await self._poll_timer.wait(0.0 if found else None)

    async def _watch_workers(self) -> None:
        """Balance and look for unowned connections when a worker comes, goes or changes."""
        if await self.balancer.run_once():
            self._poll_timer.wake()
        await asyncio.sleep(POLL_SECONDS)

    async def _resume(self, connection_ids: Sequence[int]) -> Collection[int]:
        try:
            return await self.task_runner.resume(connection_ids)
        except Exception:
            logger.exception("saved logins could not be claimed together")
            return ()

    async def _reconcile_and_test(self, connection_id: int) -> None:
        try:
            task = await self.task_runner.reconcile(connection_id)
            # A task that has just been asked to connect or disconnect sends no test.
            if task is not None and not task.requested:
                await send_pending_test(task)
        except Exception:
            # The next poll finds the same request again.
            self._poll_timer.wake()
            logger.exception(
                "a connection could not be reconciled", extra={"organization": connection_id}
            )


def _message_databases(shared: bool) -> tuple[Database, Database]:
    """Return the databases of messages that go out and that come in."""
    if shared:
        return Database(), Database()
    database = BatchingDatabase()
    return database, database.new_lane()
