"""Threads of related processes write to SQLite in turns, without waiting for SQLite's own lock."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction

from whatsapp_orgs.sqlite import base

pytestmark = [pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]

SECONDS = 20.0


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    """A thread with a connection that does not wait for SQLite's own lock at all."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(_impatient).result(SECONDS)
        yield executor
        executor.submit(lambda: connection.close()).result(SECONDS)


def _impatient() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")


@transaction.atomic
def _write(name: str) -> None:
    Group.objects.create(name=name)


def _begin_write(thread: ThreadPoolExecutor) -> Future[None]:
    """Let the thread write, and return when it has begun."""
    begun = threading.Event()

    def write() -> None:
        begun.set()
        _write("second")

    future = thread.submit(write)
    assert begun.wait(SECONDS)
    return future


def test_second_writer_waits_for_the_commit_of_the_first(thread: ThreadPoolExecutor) -> None:
    with transaction.atomic():
        Group.objects.create(name="first")
        second = _begin_write(thread)
        with pytest.raises(TimeoutError):
            second.result(0.1)  # Without a turn: "database is locked", at once.
    second.result(SECONDS)
    assert list(Group.objects.order_by("pk").values_list("name", flat=True)) == ["first", "second"]


def test_rollback_ends_the_turn(thread: ThreadPoolExecutor) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        second = _begin_write(thread)
        raise ZeroDivisionError
    second.result(SECONDS)


def test_closing_a_connection_ends_the_turn(thread: ThreadPoolExecutor) -> None:
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    second = _begin_write(thread)
    connection.close()
    second.result(SECONDS)


def test_failed_begin_ends_the_turn(thread: ThreadPoolExecutor) -> None:
    with pytest.raises(OperationalError, match="within a transaction"):
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
        connection._start_transaction_under_autocommit()  # type: ignore[attr-defined]
    connection.rollback()
    thread.submit(_write, "second").result(SECONDS)


def test_forked_process_waits_for_its_turn() -> None:
    """As the worker and the web server do."""
    with transaction.atomic():
        Group.objects.create(name="first")
        assert not _gets_turn_in_fork()
    assert _gets_turn_in_fork()


def _gets_turn_in_fork() -> bool:
    if pid := os.fork():
        return os.waitpid(pid, 0)[1] == 0
    if got_turn := base._turn.acquire(timeout=0.1):
        base._turn.release()
    os._exit(0 if got_turn else 1)
