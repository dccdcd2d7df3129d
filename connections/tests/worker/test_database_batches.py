"""Database functions that wait together run in one transaction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NoReturn

import pytest
import pytest_asyncio
from django.db import IntegrityError, OperationalError, connection, transaction

from connections.models import Connection
from connections.worker.database import Database
from connections.worker.database_batches import BatchingDatabase
from organizations.models import Organization

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]

SECONDS = 10.0


@pytest_asyncio.fixture
async def database() -> AsyncIterator[BatchingDatabase]:
    found = BatchingDatabase()
    yield found
    await Database.run_once(found, lambda: connection.close())
    found.close()


def create(name: str) -> str:
    Organization.objects.create(name=name)
    return name


def names() -> set[str]:
    return set(Organization.objects.values_list("name", flat=True))


async def run_together(database: BatchingDatabase, *functions: Callable[[], Any]) -> list[Any]:
    """Run functions that all wait behind a first one. Return their results and errors."""
    return await run_behind(database, *map(database.run_once, functions))


async def run_behind(database: BatchingDatabase, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run calls that all wait behind a first one. Return their results and errors."""
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert release.wait(SECONDS)

    holding = asyncio.create_task(database.run_once(hold))
    await asyncio.to_thread(entered.wait, SECONDS)
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0)  # All tasks have begun to wait.
    release.set()
    _, *found = await asyncio.gather(holding, *tasks, return_exceptions=True)
    return found


async def test_results_come_in_their_order(database: BatchingDatabase) -> None:
    found = await run_together(database, lambda: create("A"), lambda: create("B"), names)
    assert found == ["A", "B", {"A", "B"}]


async def test_lanes_take_turns(database: BatchingDatabase) -> None:
    other, order = database.new_lane(), list[str]()
    crowd = [database.run_once(order.append, f"crowd {number}") for number in range(4)]
    late = [other.run_once(order.append, f"late {number}") for number in range(2)]
    assert await run_behind(database, *crowd, *late) == [None] * 6
    assert order == ["late 0", "crowd 0", "late 1", "crowd 1", "crowd 2", "crowd 3"]


async def test_failed_function_undoes_its_own_changes_only(database: BatchingDatabase) -> None:
    def fail() -> None:
        create("lost")
        raise ValueError("of a test")

    first, failed, last = await run_together(
        database, lambda: create("A"), fail, lambda: create("B")
    )
    assert (first, last) == ("A", "B")
    assert isinstance(failed, ValueError)
    assert await database.run_once(names) == {"A", "B"}


async def test_function_that_breaks_the_commit_fails_alone(database: BatchingDatabase) -> None:
    def break_commit() -> None:
        # SQLite looks for the missing organization at the commit.
        Connection.objects.create(organization_id=10**9)

    good, bad = await run_together(database, lambda: create("A"), break_commit)
    assert good == "A"
    assert isinstance(bad, IntegrityError)
    assert await database.run_once(names) == {"A"}


async def test_lost_transaction_fails_all_that_it_held(database: BatchingDatabase) -> None:
    def lose_transaction() -> None:
        # As SQLite does by itself when the disk is full.
        connection.connection.execute("ROLLBACK")
        raise OperationalError("database or disk is full")

    found = await run_together(database, lambda: create("A"), lose_transaction)
    assert [type(error) for error in found] == [OperationalError] * 2
    assert await database.run_once(names) == set()


async def test_outage_fails_all_that_waits(
    database: BatchingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(using: str | None = None) -> NoReturn:
        raise OperationalError("database is locked")

    monkeypatch.setattr(transaction, "atomic", refuse)
    tasks = [database.run_once(create, "A"), database.run_once(create, "B")]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in found] == [OperationalError] * 2


async def test_hooks_run_after_the_common_commit(database: BatchingDatabase) -> None:
    seen: list[bool] = []

    def create_with_hook() -> None:
        create("A")
        transaction.on_commit(lambda: seen.append(connection.in_atomic_block))

    await run_together(database, create_with_hook)
    assert seen == [False]


async def test_cancelled_function_is_not_run(database: BatchingDatabase) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert release.wait(SECONDS)

    holding = asyncio.create_task(database.run_once(hold))
    await asyncio.to_thread(entered.wait, SECONDS)
    cancelled = asyncio.create_task(database.run_once(create, "A"))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    release.set()
    await holding
    assert await database.run_once(names) == set()
