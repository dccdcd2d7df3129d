"""The library's table of message secrets, read from both store backends."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest

from connections.stores import store_backend
from connections.stores.schemas import SchemaBackend
from connections.tests.support.store_backends import (
    DatabaseStores,
    Stores,
    database,
    folders,
    postgres,
    stores,
)
from connections.tests.support.waiting import until

__all__ = ["database", "folders", "stores", "postgres"]

STORE = "attempt-1"
SECRETS = """
    CREATE TABLE whatsmeow_message_secrets (
        our_jid TEXT, chat_jid TEXT, sender_jid TEXT, message_id TEXT, key {} NOT NULL,
        PRIMARY KEY (our_jid, chat_jid, sender_jid, message_id)
    )
"""
COLUMNS = "(our_jid, chat_jid, sender_jid, message_id, key)"


def create_table(stores: Stores) -> None:
    stores.link(7, STORE)
    stores.write(7, STORE, SECRETS.format("BLOB" if stores.name == "folders" else "BYTEA"))


def insert(stores: Stores, message_id: str, secret: bytes) -> None:
    key = f"X'{secret.hex()}'" if stores.name == "folders" else f"'\\x{secret.hex()}'"
    stores.write(
        7,
        STORE,
        f"INSERT INTO whatsmeow_message_secrets {COLUMNS} "
        f"VALUES ('me@s.whatsapp.net', '1@lid', '1@lid', '{message_id}', {key})",
    )


def test_sent_message_is_found_by_its_secret(stores: Stores) -> None:
    create_table(stores)
    insert(stores, "3EB0AA", bytes(32))
    insert(stores, "3EB0BB", bytes([7]) * 32)
    assert store_backend().sent_message_id(7, STORE, bytes([7]) * 32) == "3EB0BB"
    assert store_backend().sent_message_id(7, STORE, bytes([8]) * 32) == ""


def test_secrets_are_numbered_in_the_order_of_their_messages(stores: Stores) -> None:
    create_table(stores)
    insert(stores, "A", b"a")
    first = store_backend().newest_secret(7, STORE)
    insert(stores, "C", b"c")
    insert(stores, "B", b"b")
    newest = store_backend().newest_secret(7, STORE)
    found = store_backend().message_secrets(7, STORE, first, newest)
    assert [secret.message_id for secret in found] == ["C", "B"]
    assert {(secret.chat, secret.sender) for secret in found} == {("1@lid", "1@lid")}
    assert store_backend().message_secrets(7, STORE, newest, newest + 10) == []


def test_newest_secrets_of_many_stores_are_read_together(stores: Stores) -> None:
    backend = store_backend()
    assert backend.newest_secrets([]) == {}
    create_table(stores)
    insert(stores, "A", b"a")
    insert(stores, "B", b"b")
    newest = backend.newest_secret(7, STORE)
    assert newest > 0
    # PostgreSQL reads all of them by one query, as long as none is missing.
    assert backend.newest_secrets([(7, STORE)]) == {(7, STORE): newest}
    found = backend.newest_secrets([(8, STORE), (7, STORE), (9, STORE)])
    assert found == {(8, STORE): 0, (7, STORE): newest, (9, STORE): 0}


def test_rows_are_numbered_by_two_at_once(
    database: DatabaseStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round of comparisons, and the comparison before a login."""
    create_table(database)
    number, barrier = SchemaBackend._number_secrets, Barrier(2)

    def number_with_another(*arguments: Any) -> None:
        barrier.wait(10)  # Neither has found the column.
        number(*arguments)

    monkeypatch.setattr(SchemaBackend, "_number_secrets", number_with_another)
    backend = store_backend()
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(2) as pool:
        with psycopg.connect(database.url) as other:
            other.execute("LOCK TABLE wa_7_attempt_1.whatsmeow_message_secrets IN SHARE MODE")
            both = [pool.submit(backend.newest_secret, 7, STORE) for _ in range(2)]
            until(lambda: database.sql(waiting) == [(2,)], "both wait for the table")
        assert [one.result(10) for one in both] == [0, 0]


def test_own_lid_is_read_without_its_device_number(stores: Stores) -> None:
    assert store_backend().linked_lid(8, STORE) == ""
    stores.link(7, STORE)
    assert store_backend().linked_lid(7, STORE) == "1"
    stores.write(7, STORE, "UPDATE whatsmeow_device SET lid = NULL")
    assert store_backend().linked_lid(7, STORE) == ""


def test_missing_id_proves_nothing_when_the_device_is_gone(stores: Stores) -> None:
    assert store_backend().sent_message_id(8, STORE, b"a") is None
    create_table(stores)
    assert store_backend().sent_message_id(7, STORE, b"a") == ""
    # The library deletes the secrets of a device with it, when the phone unlinks it.
    stores.write(7, STORE, "DELETE FROM whatsmeow_device")
    assert store_backend().sent_message_id(7, STORE, b"a") is None


def test_missing_store_or_table_has_no_secrets(stores: Stores) -> None:
    assert store_backend().newest_secret(8, STORE) == 0
    assert store_backend().message_secrets(8, STORE, 0, 10) == []
    stores.link(7, STORE)
    assert store_backend().newest_secret(7, STORE) == 0
