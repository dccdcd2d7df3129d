"""Migrations on PostgreSQL take no link from a running installation, and may be long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection as django_connection
from django.db.models.signals import pre_migrate

from connections.worker.lease import LEASE_SECONDS, RENEW_SECONDS
from whatsapp_orgs.backups.postgres_database import connect
from whatsapp_orgs.management.commands import migrate

pytestmark = [
    pytest.mark.servers,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(django_connection.vendor != "postgresql", reason="only it has timeouts"),
]

ALTER = "ALTER TABLE connections_worker ADD COLUMN extra integer"
TIMEOUTS = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"


@pytest.fixture
def statement() -> Iterator[list[str]]:
    """A statement that a migration executes, and the row that it returned."""
    given: list[Any] = []

    def execute(**_: Any) -> None:
        if len(given) == 1:
            with django_connection.cursor() as cursor:
                cursor.execute(given[0])
                given.append(cursor.fetchone() if cursor.description else None)

    pre_migrate.connect(execute)
    yield given
    pre_migrate.disconnect(execute)


@pytest.fixture
def reader() -> Iterator[psycopg.Connection]:
    """A transaction that has read the table of workers, as a backup has."""
    with closing(connect()) as db:
        db.execute("LOCK TABLE connections_worker IN ACCESS SHARE MODE")
        yield db
    with django_connection.cursor() as cursor:
        cursor.execute("ALTER TABLE connections_worker DROP COLUMN IF EXISTS extra")


def current_timeouts() -> Any:
    with django_connection.cursor() as cursor:
        cursor.execute(TIMEOUTS)
        return cursor.fetchone()


def test_statements_of_migrations_may_be_long_but_wait_shortly(statement: list[Any]) -> None:
    statement.append(TIMEOUTS)
    call_command("migrate", verbosity=0)
    assert statement[1] == ("0", "2s")
    assert current_timeouts() == ("20s", "15s")


def test_waiting_migration_does_not_hold_up_heartbeats(
    statement: list[Any], reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement.append(ALTER)
    ended, waits = threading.Event(), [0.0]

    def beat() -> None:
        with closing(connect()) as db:
            db.autocommit = True
            while not ended.wait(0.1):
                started_at = time.monotonic()
                db.execute("UPDATE connections_worker SET capacity = capacity")
                waits.append(time.monotonic() - started_at)

    # The reader ends while the command pauses.
    monkeypatch.setattr(time, "sleep", lambda _: reader.rollback())
    beating = threading.Thread(target=beat)
    beating.start()
    told = StringIO()
    try:
        call_command("migrate", verbosity=0, stderr=told)
    finally:
        ended.set()
        beating.join()
    assert told.getvalue() == "A table is in use; the next try is in 5 s.\n"
    assert len(statement) == 2
    # It did wait, and the next heartbeat after it still comes in time.
    assert 1 < max(waits) < LEASE_SECONDS - 2 * RENEW_SECONDS


def test_table_that_stays_in_use_is_named_as_the_reason(
    statement: list[Any], reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement.append(ALTER)
    monkeypatch.setattr(migrate, "TRIES", 1)
    with pytest.raises(CommandError, match="others have used a table all the time"):
        call_command("migrate", verbosity=0)
