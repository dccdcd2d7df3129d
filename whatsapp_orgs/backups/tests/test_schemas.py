"""Credentials in schemas of PostgreSQL, backed up as files and published again in one step."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from connections.stores.folder_copies import FolderCopyBackend
from connections.stores.schema_copies import SchemaCopyBackend
from connections.tests.support.store_backends import DatabaseStores, database, postgres
from connections.tests.support.whatsmeow_store import (
    digest_of,
    secrets_of,
    use_store,
    write,
    write_secrets,
)
from whatsapp_orgs.backups.credentials import copied_stores
from whatsapp_orgs.backups.errors import BackupError
from whatsapp_orgs.backups.restored_credentials import RestoredSchemas
from whatsapp_orgs.backups.sqlite_database import read_file

__all__ = ["database", "postgres"]

pytestmark = pytest.mark.sqlite_only

STORE = "attempt-3"


def unexpected(warning: str) -> None:
    raise AssertionError(warning)


@pytest.fixture
def auth_sessions_dir(tmp_path: Path, settings: Settings) -> Path:
    return tmp_path / "auth_sessions"


def test_schemas_are_copied_and_published_or_put_back(
    database: DatabaseStores, tmp_path: Path
) -> None:
    backend = SchemaCopyBackend(database.url)
    write(backend, 7, STORE, prekeys=20)
    write_secrets(backend, 7, STORE, range(40, 10, -10))
    whole = digest_of(backend, 7, STORE)
    copies = FolderCopyBackend(tmp_path / "copies")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for number, store, path in copied_stores(temporary, "", lambda *_: None, unexpected):
        copies.create(number, store, path.read_bytes())
    assert digest_of(copies, 7, STORE) == whole
    numbers = {number: str(number) for number in (20, 30, 40)}
    assert secrets_of(copies, 7, STORE) == numbers

    use_store(backend, 7, STORE, key=1)
    write(backend, 9, STORE, prekeys=1)
    used, before = digest_of(backend, 7, STORE), database.content()
    restored = RestoredSchemas(tmp_path / "staging")
    assert restored.content() == ["the credentials of 2 organizations"]
    restored.stage(7, STORE, read_file(copies.path(7, STORE)))
    restored.publish(lambda *_: None)
    with copies.tables(7, STORE) as tables:
        tables.fill("whatsmeow_sessions", ["our_jid", "their_id", "session"], iter([]))
    assert digest_of(backend, 7, STORE) == digest_of(copies, 7, STORE)
    with pytest.raises(BackupError, match="killed at its last step: the schemas replaced_wa_7_att"):
        restored.content()
    restored.undo()
    assert (digest_of(backend, 7, STORE), database.content()) == (used, before)

    restored.publish(lambda *_: None)
    restored.remove_replaced()
    assert database.content() == {(7, STORE)}
    assert secrets_of(backend, 7, STORE) == numbers
    assert restored.content() == ["the credentials of 1 organizations"]
    restored.close()
    backend.close()


@pytest.mark.parametrize("name", ["template.sqlite3", "store.sqlite3"])
def test_full_disk_ends_a_backup_with_a_reason(
    name: str, database: DatabaseStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = SchemaCopyBackend(database.url)
    write(backend, 7, STORE, prekeys=500)
    backend.close()
    connect = sqlite3.connect

    def connect_on_full_disk(*arguments: Any, **options: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*arguments, **options)
        if arguments and Path(arguments[0]).name == name:
            db.execute("PRAGMA max_page_count = 1")  # or as many as there are
        return db

    monkeypatch.setattr(sqlite3, "connect", connect_on_full_disk)
    with pytest.raises(BackupError, match="DATA_DIR: database or disk is full$"):
        list(copied_stores(tmp_path, "", lambda *_: None, unexpected))
