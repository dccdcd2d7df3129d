"""A database that fails in other ways than being away: a lease and the writes of tasks go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import InternalError, connection, connections
from psycopg import errors

from connections import actions
from connections.models import Worker
from connections.tests.support.waiting import async_until
from connections.worker import lease
from connections.worker.database import Database
from connections.worker.lease import Lease, Report

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 10.0


def read_only_error() -> InternalError:
    """Return what Django raises when PostgreSQL only reads."""
    error = InternalError("cannot execute UPDATE in a read-only transaction")
    error.__cause__ = errors.ReadOnlySqlTransaction()
    return error


def failing_first(function: Callable[..., Any], calls: list[bool]) -> Callable[..., Any]:
    """Return a function whose first call is refused. `calls`: whether each one has succeeded."""

    def call(*arguments: object, **options: object) -> Any:
        calls.append(bool(calls))
        if not calls[-1]:
            raise read_only_error()
        return function(*arguments, **options)

    return call


@pytest.fixture
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("RENEW_SECONDS", "RETRY_SECONDS", "REGISTER_RETRY_SECONDS"):
        monkeypatch.setattr(lease, name, 0.05)
    yield


@pytest.mark.usefixtures("short_intervals")
async def test_lease_outlasts_a_server_that_only_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[bool] = []
    starts: list[bool] = []
    monkeypatch.setattr(actions, "heartbeat", failing_first(actions.heartbeat, beats))
    monkeypatch.setattr(actions, "start_worker", failing_first(actions.start_worker, starts))
    held = Lease("w", True, lambda: Report(None, 0, 0))
    worker = await held.acquire()
    assert starts == [False, True]
    try:
        await async_until(lambda: len(beats) >= 3, "another heartbeat", SECONDS)
        assert beats[:3] == [False, True, True] and held.held
    finally:
        held.stop()
        assert held._renewing is not None
        await held._renewing
    assert await sync_to_async(Worker.objects.alive().filter(pk=worker.pk).exists)()


@pytest.mark.usefixtures("short_intervals")
async def test_lease_outlasts_an_error_of_a_heartbeat(caplog: pytest.LogCaptureFixture) -> None:
    reports: list[bool] = []

    def report() -> Report:
        reports.append(bool(reports))
        if not reports[-1]:
            raise RuntimeError("dictionary changed size during iteration")
        return Report(None, 0, 0)

    held = Lease("w", True, report)
    await held.acquire()
    try:
        await async_until(lambda: len(reports) >= 3, "another heartbeat", SECONDS)
        assert held.held
    finally:
        held.stop()
        assert held._renewing is not None
        await held._renewing
    assert "dictionary changed size" in caplog.text


async def test_refused_write_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    database, calls = Database(), list[bool]()
    try:
        assert await database.run(failing_first(lambda: "done", calls)) == "done"
        with pytest.raises(InternalError):
            await database.run(_raise_another_error)
    finally:
        await database.run(connections.close_all)
        database.close()


def _raise_another_error() -> None:
    raise InternalError("something else")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no standby")
async def test_connection_to_a_server_that_only_reads_is_replaced() -> None:
    """The pool would give it out again: it answers SELECT 1."""
    servers: list[int] = []

    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            servers.append(cursor.fetchone()[0])
            if len(servers) == 1:
                cursor.execute("SET default_transaction_read_only = on")
        Worker.objects.create(name="w")

    database = Database()
    try:
        async with asyncio.timeout(SECONDS):
            await database.run(write)
    finally:
        await database.run(connections.close_all)
        database.close()
    assert len(servers) == len(set(servers)) == 2
