"""A stop ends within seconds, also while the database is away."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connections

from connections import actions
from connections.models import Worker
from connections.tests.support.supervisors import supervisor_of
from connections.tests.support.waiting import async_until
from connections.worker import lease
from connections.worker.supervisor import Supervisor
from connections.worker.tasks.task_runner import TaskRunner
from messaging.port import Messages

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 5.0
DRAIN_SECONDS = 60.0


def refuse(*arguments: object, **options: object) -> NoReturn:
    raise OperationalError("connection refused")


async def a_worker() -> Worker:
    return await sync_to_async(actions.start_worker)("w", 3, False)


async def drain(supervisor: Supervisor) -> None:
    async with asyncio.timeout(SECONDS):
        await supervisor._draining.run(DRAIN_SECONDS, asyncio.Event())


async def test_stop_waits_for_no_handover_without_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actions, "drain_worker", refuse)
    async with supervisor_of(await a_worker()) as supervisor:
        await drain(supervisor)


async def test_worker_without_a_lease_hands_nothing_over(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = await a_worker()
    async with supervisor_of(worker) as supervisor:
        supervisor._lease._ends_at = 0.0
        await drain(supervisor)
    await sync_to_async(worker.refresh_from_db)()
    assert worker.draining_since is None


async def test_handover_ends_with_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskRunner, "load", 1)
    async with supervisor_of(await a_worker()) as supervisor:
        began = asyncio.Event()

        async def wait_for_the_database() -> None:
            began.set()
            await asyncio.get_running_loop().create_future()

        monkeypatch.setattr(supervisor._lease, "_shared", True)
        monkeypatch.setattr(supervisor.balancer, "refresh", wait_for_the_database)
        draining = asyncio.create_task(drain(supervisor))
        await began.wait()
        supervisor._lease._ends_at = 0.0
        await draining


async def test_worker_that_cannot_register_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[bool] = []

    def refuse_to_register(*arguments: object, **options: object) -> NoReturn:
        tries.append(True)
        refuse()

    monkeypatch.setattr(lease, "REGISTER_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(actions, "start_worker", refuse_to_register)
    supervisor, stop = Supervisor(Messages()), asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    await async_until(lambda: len(tries) > 1, "tries to register", SECONDS)
    await sync_to_async(connections.close_all)()
    stop.set()
    async with asyncio.timeout(SECONDS):
        await running
