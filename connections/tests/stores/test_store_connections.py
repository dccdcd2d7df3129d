"""The real Go library on PostgreSQL: it leaves no connection open, and its errors have causes."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from connections.stores import store_backend
from connections.stores.postgres import host_url
from connections.tests.support.host_processes import expect_event, fork_server, host, until
from connections.tests.support.store_backends import DatabaseStores, database, postgres
from connections.worker.hosts.handle import HostHandle

__all__ = ["database", "host", "fork_server", "postgres"]

pytestmark = pytest.mark.sqlite_only

STORE = "attempt-1"
STARTS = 40
HOSTS = "application_name = 'whatsapp_orgs host'"


def open_connections(stores: DatabaseStores) -> int:
    """Return how many connections of hosts are open."""
    where = f"datname = '{stores.database}' AND {HOSTS}"
    [(found,)] = stores.sql(f"SELECT count(*) FROM pg_stat_activity WHERE {where}")
    assert isinstance(found, int)
    return found


async def test_ended_clients_leave_no_connection_open(
    host: HostHandle, database: DatabaseStores
) -> None:
    """The library never closes its pools; the server closes what is idle in them."""
    for _ in range(STARTS):
        client = host.open(store_backend().create(7, STORE))
        ended = await expect_event(client, "ended")
        assert ended["cause"] == "dial", ended
        await client.close()
    await until(lambda: open_connections(database) == 0, "no connection")
    assert store_backend().exists(7, STORE)


async def test_each_store_gets_its_own_tables(host: HostHandle, database: DatabaseStores) -> None:
    """whatsmeow looks for its version table in all schemas."""
    for number in (1, 2, 3):
        await expect_event(host.open(store_backend().create(number, STORE)), "ended")
        assert store_backend().exists(number, STORE)
    # neonize opens every address as a SQLite file first, where the process works.
    assert not list(Path(settings.BASE_DIR).glob("postgres:*"))


async def test_missing_store_is_not_made_by_a_client(
    host: HostHandle, database: DatabaseStores
) -> None:
    """Nor does it use another organization's store."""
    await expect_event(host.open(store_backend().create(1, STORE)), "ended")
    ended = await expect_event(host.open(store_backend().database(2, STORE)), "ended")
    assert ended["cause"] == "store", ended
    assert database.content() == {(1, STORE)}


async def test_unreachable_store_server_has_its_own_cause(host: HostHandle) -> None:
    secret = "hunter2hunter2"
    address = host_url(f"postgres://me:{secret}@127.0.0.1:1/orgs", "wa_1_attempt_1")
    ended = await expect_event(host.open(address), "ended")
    assert ended["cause"] == "unavailable" and secret not in ended["error"], ended


@pytest.mark.parametrize("port", ["nonsense", "99999999"])
async def test_invalid_address_is_not_in_the_error(host: HostHandle, port: str) -> None:
    secret = "hunter2hunter2"
    ended = await expect_event(host.open(f"postgres://me:{secret}@h:{port}/orgs"), "ended")
    assert secret not in ended["error"], ended
