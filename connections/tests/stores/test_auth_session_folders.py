"""Stores in folders: permissions, and failures of the disk."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pytest_django import Settings

from connections.stores import StoreDamaged, StoreUnusable, store_backend
from connections.tests.support.store_backends import FolderStores, folders

__all__ = ["folders"]

STORE = "attempt-1"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_new_store_is_readable_by_this_user_only(folders: FolderStores) -> None:
    path = Path(store_backend().create(7, STORE))
    assert path == folders.root / "7" / STORE / "whatsmeow.sqlite3"
    assert names(path.parent) == set()
    for folder in (folders.root, folders.root / "7", path.parent):
        assert folder.stat().st_mode & 0o777 == 0o700, folder


def test_number_is_read_while_a_client_writes(folders: FolderStores) -> None:
    folders.link(7, STORE)
    with closing(sqlite3.connect(store_backend().database(7, STORE))) as session:
        session.execute("BEGIN IMMEDIATE")
        session.execute("UPDATE whatsmeow_device SET lid = ''")
        assert store_backend().linked_number(7, STORE) == "5511987654321"


def test_file_that_is_no_database_is_damaged(folders: FolderStores) -> None:
    Path(store_backend().create(7, STORE)).write_bytes(b"no database at all " * 100)
    with pytest.raises(StoreDamaged):
        store_backend().linked_number(7, STORE)


def test_damaged_store_leaves_the_newest_secrets_of_others(folders: FolderStores) -> None:
    Path(store_backend().create(7, STORE)).write_bytes(b"no database at all " * 100)
    folders.link(8, STORE)
    found = store_backend().newest_secrets([(7, STORE), (8, STORE)])
    assert isinstance(found[7, STORE], StoreDamaged)
    assert found[8, STORE] == 0


def test_locked_database_is_unusable_but_not_damaged(folders: FolderStores) -> None:
    path = store_backend().create(7, STORE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY)")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnusable):
            store_backend().linked_number(7, STORE)


def test_empty_database_has_no_number(folders: FolderStores) -> None:
    Path(store_backend().create(7, STORE)).write_bytes(b"")
    assert store_backend().linked_number(7, STORE) == ""


def test_reading_the_number_changes_no_file(folders: FolderStores) -> None:
    path = Path(store_backend().create(7, STORE))
    path.write_bytes(b"")
    store_backend().linked_number(7, STORE)
    assert names(path.parent) == {path.name}
    assert path.read_bytes() == b""


def test_half_deleted_stores_do_not_exist(
    folders: FolderStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails after the folder was renamed; the next delete removes it."""

    def fail(path: Path) -> None:
        raise OSError("the disk failed")

    folders.link(7, STORE)
    with monkeypatch.context() as broken:
        broken.setattr("shutil.rmtree", fail)
        with pytest.raises(OSError, match="the disk failed"):
            store_backend().delete(7)
    assert not store_backend().exists(7, STORE)
    folders.link(77, STORE)
    assert store_backend().delete(7) is True
    assert names(folders.root) == {"77"}


@pytest.mark.parametrize("name", ["with space", "per%20cent", "a#b"])
def test_folder_may_have_any_name(tmp_path: Path, settings: Settings, name: str) -> None:
    settings.AUTH_SESSIONS, settings.AUTH_SESSIONS_DIR = "folders", tmp_path / name
    FolderStores(tmp_path / name).link(7, STORE)
    assert store_backend().linked_number(7, STORE) == "5511987654321"
