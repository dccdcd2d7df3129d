"""Stores in PostgreSQL: failures of the server, and the URL that hosts get."""

from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pytest_django import Settings

from connections.stores import StoresNotIsolated, StoreUnavailable, StoreUnusable, store_backend
from connections.stores.postgres import MAX_CONNECTIONS, PostgresPool, host_url
from connections.tests.support.store_backends import DatabaseStores, database, postgres
from tests.support.services import Postgres

__all__ = ["database", "postgres"]

pytestmark = pytest.mark.sqlite_only

STORE = "attempt-1"
OWN_CONNECTIONS = "application_name LIKE 'whatsapp_orgs%'"


def test_new_store_has_its_own_version_table(
    database: DatabaseStores,
) -> None:
    store_backend().create(7, STORE)
    assert database.sql("SELECT * FROM wa_7_attempt_1.whatsmeow_version") == []


def test_number_is_read_while_a_client_writes(database: DatabaseStores) -> None:
    database.link(7, STORE)
    with psycopg.connect(database.url) as session:
        session.execute("UPDATE wa_7_attempt_1.whatsmeow_device SET lid = ''")
        assert store_backend().linked_number(7, STORE) == "5511987654321"


def test_locked_store_is_unusable_until_unlocked(
    database: DatabaseStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connections.stores.postgres.LOCK_SECONDS", 1)
    database.link(7, STORE)
    with psycopg.connect(database.url) as session:
        session.execute("LOCK TABLE wa_7_attempt_1.whatsmeow_device")
        with pytest.raises(StoreUnusable, match="lock timeout"):
            store_backend().linked_number(7, STORE)
        with pytest.raises(OSError, match="lock timeout"):
            store_backend().delete(7)
    assert store_backend().linked_number(7, STORE) == "5511987654321"
    assert store_backend().delete(7) is True


def test_failed_delete_removes_no_store(
    database: DatabaseStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connections.stores.postgres.LOCK_SECONDS", 1)
    database.link(7, "attempt-1")
    database.link(7, "attempt-2")
    with psycopg.connect(database.url) as session:
        session.execute("LOCK TABLE wa_7_attempt_2.whatsmeow_device")
        with pytest.raises(OSError, match="lock timeout"):
            store_backend().delete(7)
    assert store_backend().linked_number(7, "attempt-1")
    assert store_backend().linked_number(7, "attempt-2")


def test_unreachable_server_raises_store_unavailable(settings: Settings) -> None:
    """The caller must not take it for "no phone is linked" or "there is no store"."""
    secret = "hunter2hunter2"
    settings.AUTH_SESSIONS = "database"
    settings.AUTH_SESSIONS_URL = f"postgres://me:{secret}@127.0.0.1:1/nothing"
    stores = store_backend()
    for call in (stores.linked_number, stores.exists, stores.create):
        with pytest.raises(StoreUnavailable) as raised:
            call(7, STORE)
        assert secret not in str(raised.value)
    stores.check()
    for method in (stores.delete, stores.stores):
        with pytest.raises(StoreUnavailable):
            method(7)


def test_restarted_server_is_used_again(settings: Settings) -> None:
    with Postgres() as server:
        settings.AUTH_SESSIONS, settings.AUTH_SESSIONS_URL = "database", server.url
        store_backend().create(7, STORE)
        server.end()
        with pytest.raises(StoreUnavailable):
            store_backend().stores(7)
        server.start()
        assert store_backend().stores(7) == {STORE}
        server.end()
        server.start()
        # The connection that broke meanwhile is not used again.
        assert store_backend().stores(7) == {STORE}
        store_backend().close()


def test_server_that_only_reads_is_unavailable_until_it_writes(
    database: DatabaseStores, postgres: Postgres
) -> None:
    change = f'ALTER DATABASE "{database.database}" {{}} default_transaction_read_only'
    postgres.sql(change.format("SET") + " = on")
    with pytest.raises(StoreUnavailable):
        store_backend().create(7, STORE)
    postgres.sql(change.format("RESET"))
    store_backend().create(7, STORE)


def test_idle_connections_are_few(database: DatabaseStores) -> None:
    for number in range(20):
        store_backend().create(number, STORE)
    where = f"datname = '{database.database}' AND {OWN_CONNECTIONS}"
    [(open_now,)] = database.sql(f"SELECT count(*) FROM pg_stat_activity WHERE {where}")
    assert isinstance(open_now, int) and open_now <= MAX_CONNECTIONS


def test_pooler_that_ignores_search_path_is_refused(
    database: DatabaseStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All organizations would read the same schema, and find each other's phones."""
    real = PostgresPool._connect
    monkeypatch.setattr(PostgresPool, "_connect", lambda self, options: real(self, ""))
    stores = store_backend()
    for call in (stores.check, lambda: stores.linked_number(7, STORE)):
        with pytest.raises(StoresNotIsolated, match="AUTH_SESSIONS_URL"):
            call()


def parameters(url: str, schema: str = "wa_1_attempt_1") -> dict[str, str]:
    return {
        name: found for name, [found] in parse_qs(urlsplit(host_url(url, schema)).query).items()
    }


def test_host_url_has_only_parameters_of_gos_driver() -> None:
    url = "postgres://me:p%40ss%20w%C3%B6rd@db.example:6543/orgs?sslmode=verify-full&keepalives=1"
    found = parameters(url)
    assert found["user"] == "me" and found["password"] == "p@ss wörd"
    assert (found["host"], found["port"]) == ("db.example", "6543")
    assert found["sslmode"] == "verify-full"
    assert "keepalives" not in found, "Go's driver would pass it to the server, which refuses it"
    assert "-c search_path=wa_1_attempt_1 " in found["options"]
    assert urlsplit(host_url(url, "wa_1_attempt_1")).path == "/orgs"


def test_host_url_prefers_tls_by_default() -> None:
    assert parameters("postgres://me@db.example/orgs")["sslmode"] == "prefer"


def test_host_url_keeps_a_socket_folder() -> None:
    found = parameters("postgres://me@%2Frun%2Fpostgresql/orgs")
    assert found["host"] == "/run/postgresql"


def test_host_url_is_no_valid_file_name() -> None:
    """neonize opens every address as a SQLite file first."""
    for url in ("postgres://me@h/a%2Fb", "postgres://me@h/orgs", "postgres://me@h"):
        made = host_url(url, "wa_1_attempt_1")
        assert made.startswith("postgres:///") and urlsplit(made).path.count("/") == 1
        assert urlsplit(made).path != "/"
