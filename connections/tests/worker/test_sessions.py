"""What starts, replaces and ends tasks, when several things happen in the same moment.

The tasks themselves only wait here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from pytest_django import Settings

from connections import actions
from connections.lifecycle import Desired, State
from connections.models import Connection, Worker
from connections.stores import store_backend
from connections.tests.support.fake_worker import nobody
from connections.worker.database import Database
from connections.worker.supervisor import Supervisor
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.tasks.context import Clients, TaskContext
from connections.worker.tasks.sessions import Capacity, Sessions
from organizations.access import Actor
from organizations.actions import set_active
from organizations.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

ALICE = Actor("alice")
SECONDS = 10.0

T = TypeVar("T")


async def wait_for_ever(task: ConnectionTask) -> None:
    await asyncio.get_running_loop().create_future()


class OneWorker:
    """A worker whose lease and room a test decides; the clients never start."""

    def __init__(self, worker: Worker, capacity: int = 100) -> None:
        self.worker = worker
        self.capacity = capacity
        self.database = Database()
        self.db_is_there = asyncio.Event()
        self.db_is_there.set()
        context = TaskContext(
            get_worker=lambda: self.worker,
            db=self.db,
            to_thread=asyncio.to_thread,
            stores=store_backend(),
            clients=cast(Clients, None),
        )
        self.sessions = Sessions(context, lambda: True, self.room, wake=lambda connection_id: None)

    def room(self) -> Capacity:
        room = self.capacity - self.sessions.load
        return Capacity(room, urgent=room > 0, tries=room)

    async def db(self, function: Callable[..., T], /, *arguments: object) -> T:
        await self.db_is_there.wait()
        return await self.database.run(function, *arguments)


@asynccontextmanager
async def one_worker(worker: Worker, capacity: int = 100) -> AsyncIterator[OneWorker]:
    made = OneWorker(worker, capacity)
    try:
        yield made
    finally:
        await made.sessions.drop()
        await made.db(connections.close_all)
        made.database.close()


@asynccontextmanager
async def supervisor_of(worker: Worker) -> AsyncIterator[Supervisor]:
    """One of several workers, with its lease held and none of its duties running."""
    supervisor = Supervisor()
    supervisor.shared = True
    supervisor._lease.worker = worker
    supervisor._lease._until = math.inf
    try:
        yield supervisor
    finally:
        await supervisor.sessions.drop()
        await supervisor.db(connections.close_all)
        supervisor._database.close()


def linked_to(worker: Worker, count: int = 1) -> list[int]:
    """So many connections that are up, by what the database says."""
    made = []
    for number in range(count):
        organization = Organization.objects.create(name=f"Client {number}")
        connection = Connection.objects.of(organization)
        Connection.objects.filter(pk=connection.pk).update(
            store_name="attempt-1",
            number=f"55119{number}",
            desired=Desired.CONNECTED,
            state=State.CONNECTED,
            worker=worker,
        )
        made.append(connection.pk)
    return made


@sync_to_async
def fleet_of(count: int) -> tuple[list[int], Worker]:
    worker = actions.start_worker("w", 100, alone=False)
    return linked_to(worker, count), worker


async def until(look: Callable[[], bool], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + SECONDS
    while not look():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.01)


def tasks_of(connection_id: int) -> list[asyncio.Task[object]]:
    name = f"session {connection_id}"
    return [task for task in asyncio.all_tasks() if task.get_name() == name and not task.done()]


async def test_of_many_that_a_dead_worker_had_no_more_are_taken_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConnectionTask, "run", wait_for_ever)
    orphans, dead = await fleet_of(20)
    worker = await sync_to_async(actions.start_worker)("w", 3, False)
    await sync_to_async(actions.stop_worker)(dead)
    async with one_worker(worker, capacity=3) as made:
        await asyncio.gather(*map(made.sessions.reconcile, orphans))
        assert made.sessions.load == 3
        taken = Connection.objects.filter(worker=worker)
        assert await sync_to_async(taken.count)() == 3


async def test_supervisor_takes_as_many_as_its_fair_part_of_what_a_dead_worker_had(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.WORKER_CAPACITY = 3
    monkeypatch.setattr(ConnectionTask, "run", wait_for_ever)
    orphans, dead = await fleet_of(5)
    worker = await sync_to_async(actions.start_worker)("w", 3, False)
    await sync_to_async(actions.stop_worker)(dead)
    async with supervisor_of(worker) as supervisor:
        await supervisor.sharing.look()
        assert supervisor.sharing.room == 3
        await asyncio.gather(*map(supervisor.sessions.reconcile, orphans))
        assert supervisor.sessions.load == 3


async def test_deactivation_waits_only_for_what_must_not_be_cut_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cleared = asyncio.Event()

    async def clear_up_then_hold(task: ConnectionTask) -> None:
        task.disconnecting = True
        await cleared.wait()
        task.disconnecting = False
        await wait_for_ever(task)

    monkeypatch.setattr(ConnectionTask, "run", clear_up_then_hold)
    (connection_id,), worker = await fleet_of(1)
    async with one_worker(worker) as made:
        task = await made.sessions.reconcile(connection_id)
        assert task is not None
        await until(lambda: task.disconnecting, "a task that clears up")
        organization = await sync_to_async(Organization.objects.get)(pk=connection_id)
        await sync_to_async(set_active)(organization, False, ALICE)
        deactivated = asyncio.create_task(made.sessions.reconcile(connection_id))
        await asyncio.sleep(0.3)
        assert made.sessions.load == 1 and not deactivated.done(), "it was cut short"
        cleared.set()
        async with asyncio.timeout(SECONDS):
            await deactivated
        assert made.sessions.load == 0


async def test_what_was_claimed_before_the_lease_was_lost_is_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConnectionTask, "run", wait_for_ever)
    (connection_id,), worker = await fleet_of(1)
    async with one_worker(worker) as made:
        made.db_is_there.clear()
        reconciling = asyncio.create_task(made.sessions.reconcile(connection_id))
        await asyncio.sleep(0)
        made.worker = await sync_to_async(actions.start_worker)("w", 100, False, worker)
        made.db_is_there.set()
        assert await reconciling is None
        assert made.sessions.load == 0
        claim = sync_to_async(actions.claim)
        assert await claim(connection_id, made.worker, nobody, alone=False)
        assert await made.sessions.reconcile(connection_id) is not None


async def test_nothing_is_begun_behind_a_lost_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConnectionTask, "run", wait_for_ever)
    (connection_id,), worker = await fleet_of(1)
    async with supervisor_of(worker) as supervisor:
        session = await supervisor.sessions.reconcile(connection_id)
        assert session is not None
        session.disconnecting = True
        await sync_to_async(actions.request_disconnect)(connection_id, ALICE)
        waiting = asyncio.create_task(supervisor.sessions.reconcile(connection_id))
        await asyncio.sleep(0.3)
        assert not waiting.done()

        async def begin() -> None:
            again = await sync_to_async(actions.start_worker)("w", 100, False, worker)
            supervisor._lease.worker = again
            supervisor._lease._until = math.inf

        async def lost() -> None:
            supervisor._lease._until = 0.0

        monkeypatch.setattr(supervisor._lease, "lost", lost)
        monkeypatch.setattr(supervisor._lease, "begin", begin)
        await supervisor._guard()
        async with asyncio.timeout(SECONDS):
            await waiting
        assert tasks_of(connection_id) == [] and supervisor.sessions.load == 0
