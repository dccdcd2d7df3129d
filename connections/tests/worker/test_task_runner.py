"""The task runner: claims, replaced tasks and lost leases. The tasks only wait here."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from pytest_django import Settings

from connections import actions, broadcast
from connections.models import Connection, Worker
from connections.stores import store_backend
from connections.tests.support.fake_worker import nobody
from connections.tests.support.linked_rows import create_linked
from connections.tests.support.supervisors import supervisor_of
from connections.tests.support.waiting import async_until
from connections.worker import balancing
from connections.worker import supervisor as supervisor_module
from connections.worker.background import start_tasks
from connections.worker.database import Database
from connections.worker.listening import listen
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.tasks.context import Clients, TaskContext
from connections.worker.tasks.task_runner import Capacity, TaskRunner
from organizations.access import Actor
from organizations.actions import set_active
from organizations.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

ALICE = Actor("alice")
SECONDS = 10.0

T = TypeVar("T")


async def wait_forever(task: ConnectionTask) -> None:
    await asyncio.get_running_loop().create_future()


class FakeSupervisor:
    """A worker with a task runner, whose capacity a test sets. No client starts."""

    def __init__(self, worker: Worker, capacity: int = 100) -> None:
        self.worker = worker
        self.capacity = capacity
        self.database = Database()
        self.database_available = asyncio.Event()
        self.database_available.set()
        context = TaskContext(
            get_worker=lambda: self.worker,
            db=self.db,
            to_thread=asyncio.to_thread,
            stores=store_backend(),
            clients=cast(Clients, None),
        )
        self.task_runner = TaskRunner(
            context, lambda: True, self.capacity_left, wake=lambda connection_id: None
        )

    def capacity_left(self) -> Capacity:
        left = self.capacity - self.task_runner.load
        return Capacity(left, accepts_urgent=left > 0, max_claims=left)

    async def db(self, function: Callable[..., T], /, *arguments: object) -> T:
        await self.database_available.wait()
        return await self.database.run(function, *arguments)


@asynccontextmanager
async def fake_supervisor(worker: Worker, capacity: int = 100) -> AsyncIterator[FakeSupervisor]:
    fake = FakeSupervisor(worker, capacity)
    try:
        yield fake
    finally:
        await fake.task_runner.cancel_all()
        await fake.db(connections.close_all)
        fake.database.close()


@sync_to_async
def create_connections(count: int) -> tuple[list[int], Worker]:
    worker = actions.start_worker("w", 100, alone=False)
    return create_linked(count, worker), worker


def tasks_of(connection_id: int) -> list[asyncio.Task[object]]:
    name = f"task {connection_id}"
    return [task for task in asyncio.all_tasks() if task.get_name() == name and not task.done()]


async def test_claims_from_a_dead_worker_stop_at_the_capacity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConnectionTask, "run", wait_forever)
    unowned, dead = await create_connections(20)
    worker = await sync_to_async(actions.start_worker)("w", 3, False)
    await sync_to_async(actions.stop_worker)(dead)
    async with fake_supervisor(worker, capacity=3) as fake:
        await asyncio.gather(*map(fake.task_runner.reconcile, unowned))
        assert fake.task_runner.load == 3
        taken = Connection.objects.filter(worker=worker)
        assert await sync_to_async(taken.count)() == 3


async def test_saved_logins_are_resumed_together_up_to_the_capacity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConnectionTask, "run", wait_forever)
    unowned, dead = await create_connections(5)
    worker = await sync_to_async(actions.start_worker)("w", 3, False)
    await sync_to_async(actions.stop_worker)(dead)
    async with fake_supervisor(worker, capacity=3) as fake:
        assert await fake.task_runner.resume(unowned) == {*unowned[:3]}
        assert fake.task_runner.running == {*unowned[:3]}
        assert await fake.task_runner.resume(unowned) == set()
        # Those that run are left to `reconcile`, as is a request that waits.
        fake.capacity = 10
        await sync_to_async(actions.request_reconnect)(unowned[3], ALICE)
        assert await fake.task_runner.resume(unowned) == {unowned[4]}


async def test_load_is_counted_while_tasks_start() -> None:
    """The thread of the heartbeats counts while the loop starts and ends tasks."""
    worker = await sync_to_async(actions.start_worker)("w", 3, False)
    async with fake_supervisor(worker, capacity=3) as fake:
        tasks = fake.task_runner._tasks

        class Growing:
            """A task that another one follows while it is counted."""

            def done(self) -> bool:
                tasks[max(tasks) + 1] = tasks[max(tasks)]
                return False

        tasks[1] = cast(Any, (None, Growing()))
        assert fake.task_runner.load == 1
        tasks.clear()


async def test_supervisor_claims_its_fair_share_from_a_dead_worker(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WORKER_CAPACITY = 3
    monkeypatch.setattr(ConnectionTask, "run", wait_forever)
    unowned, dead = await create_connections(5)
    worker = await sync_to_async(actions.start_worker)("w", 3, False)
    await sync_to_async(actions.stop_worker)(dead)
    async with supervisor_of(worker) as supervisor:
        await supervisor.balancer.refresh()
        assert supervisor.balancer.free_slots == 3
        await asyncio.gather(*map(supervisor.task_runner.reconcile, unowned))
        assert supervisor.task_runner.load == 3


async def test_links_of_a_stopped_worker_are_claimed_together(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WORKER_CAPACITY = 100
    monkeypatch.setattr(ConnectionTask, "run", wait_forever)
    for name in ("POLL_SECONDS", "POLL_SINGLE_SECONDS"):
        monkeypatch.setattr(supervisor_module, name, 0.2)
    claimed: list[int] = []
    claim_saved_logins = actions.claim_saved_logins

    def claim_together(ids: Collection[int], *arguments: Any) -> list[Connection]:
        claimed.append(len(ids))
        return claim_saved_logins(ids, *arguments)

    monkeypatch.setattr(actions, "claim_saved_logins", claim_together)
    _, stopped = await create_connections(30)
    worker = await sync_to_async(actions.start_worker)("w", 100, False)
    async with supervisor_of(worker) as supervisor:
        functions: dict[str, Callable[[], Awaitable[None]]] = {
            "listen": partial(listen, broadcast.WORKERS, supervisor._handle_request),
            "work": partial(listen, broadcast.WORK, supervisor._polls.handle_signal),
            "poll": supervisor._poll,
            "reconcile": supervisor._reconciling.run,
        }
        tasks = start_tasks(functions)
        await asyncio.sleep(0.5)
        await sync_to_async(actions.stop_worker)(stopped)
        await async_until(lambda: supervisor.task_runner.load == 30, "all links", SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(claimed) == 30 and len(claimed) <= 4, claimed


async def test_deactivation_waits_only_for_an_uninterruptible_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cleaned_up = asyncio.Event()

    async def clean_up_then_wait(task: ConnectionTask) -> None:
        task.uninterruptible = True
        await cleaned_up.wait()
        task.uninterruptible = False
        await wait_forever(task)

    monkeypatch.setattr(ConnectionTask, "run", clean_up_then_wait)
    (connection_id,), worker = await create_connections(1)
    async with fake_supervisor(worker) as fake:
        task = await fake.task_runner.reconcile(connection_id)
        assert task is not None
        await async_until(
            lambda: task.uninterruptible, "a task that must not be interrupted", SECONDS
        )
        organization = await sync_to_async(Organization.objects.get)(pk=connection_id)
        await sync_to_async(set_active)(organization, False, ALICE)
        deactivated = asyncio.create_task(fake.task_runner.reconcile(connection_id))
        await asyncio.sleep(0.3)
        assert fake.task_runner.load == 1 and not deactivated.done(), "it was interrupted"
        cleaned_up.set()
        async with asyncio.timeout(SECONDS):
            await deactivated
        assert fake.task_runner.load == 0


async def test_claim_of_a_lost_lease_starts_no_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConnectionTask, "run", wait_forever)
    (connection_id,), worker = await create_connections(1)
    async with fake_supervisor(worker) as fake:
        fake.database_available.clear()
        reconciling = asyncio.create_task(fake.task_runner.reconcile(connection_id))
        await asyncio.sleep(0)
        fake.worker = await sync_to_async(actions.start_worker)("w", 100, False, worker)
        fake.database_available.set()
        assert await reconciling is None
        assert fake.task_runner.load == 0
        claim = sync_to_async(actions.claim)
        assert await claim(connection_id, fake.worker, nobody, alone=False)
        assert await fake.task_runner.reconcile(connection_id) is not None


async def test_lost_lease_starts_no_waiting_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConnectionTask, "run", wait_forever)
    (connection_id,), worker = await create_connections(1)
    async with supervisor_of(worker) as supervisor:
        task = await supervisor.task_runner.reconcile(connection_id)
        assert task is not None
        task.uninterruptible = True
        await sync_to_async(actions.request_disconnect)(connection_id, ALICE)
        waiting = asyncio.create_task(supervisor.task_runner.reconcile(connection_id))
        await asyncio.sleep(0.3)
        assert not waiting.done()

        async def begin() -> None:
            again = await sync_to_async(actions.start_worker)("w", 100, False, worker)
            supervisor._lease.worker = again
            supervisor._lease._ends_at = math.inf

        async def lost() -> None:
            supervisor._lease._ends_at = 0.0

        monkeypatch.setattr(supervisor._lease, "wait_until_lost", lost)
        monkeypatch.setattr(supervisor._lease, "acquire", begin)
        await supervisor._replace_lost_lease()
        async with asyncio.timeout(SECONDS):
            await waiting
        assert tasks_of(connection_id) == [] and supervisor.task_runner.load == 0


async def test_no_link_moves_while_signals_do_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = await sync_to_async(actions.start_worker)("w", 3, False)
    async with supervisor_of(worker) as supervisor:
        moves: list[bool] = []

        async def hand_over_excess() -> bool:
            moves.append(True)
            return False

        monkeypatch.setattr(supervisor.balancer, "hand_over_excess", hand_over_excess)
        monkeypatch.setattr(broadcast, "reaches_others", lambda: False)
        await supervisor.balancer.run_once()
        assert moves == []
        monkeypatch.setattr(broadcast, "reaches_others", lambda: True)
        await supervisor.balancer.run_once()
        assert moves == [True]


async def test_loads_are_read_only_when_a_worker_comes_goes_or_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = await sync_to_async(actions.start_worker)("w", 3, False)
    async with supervisor_of(worker) as supervisor:
        balancer, read_workers = supervisor.balancer, balancing.read_workers
        reads: list[bool] = []

        def read() -> tuple[list[balancing.Peer], int]:
            reads.append(True)
            return read_workers()

        monkeypatch.setattr(balancing, "read_workers", read)
        assert await balancer.run_once() and len(reads) == 1
        assert not await balancer.run_once() and len(reads) == 1
        other = await sync_to_async(actions.start_worker)("other", 3, False)
        assert await balancer.run_once() and len(reads) == 2
        await sync_to_async(actions.heartbeat)(other, None, 2, 1, alone=False)
        assert await balancer.run_once() and len(reads) == 3
        await sync_to_async(actions.stop_worker)(other)
        assert await balancer.run_once() and len(reads) == 4
        assert not await balancer.run_once() and len(reads) == 4
