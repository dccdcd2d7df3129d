"""Credentials on disk: for this user only, never mixed up, and deleted whole or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pytest_django import Settings

from connections import auth_sessions

STORE = "attempt-1"


def link(organization_id: int, store: str, jid: str = "5511987654321:3@s.whatsapp.net") -> Path:
    """A store with a linked device in it, as whatsmeow writes it."""
    path = auth_sessions.create(organization_id, store)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY, lid TEXT)")
        db.execute("INSERT INTO whatsmeow_device VALUES (?, ?)", (jid, "1:3@lid"))
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_fresh_store_is_empty_and_for_this_user_only(auth_sessions_dir: Path) -> None:
    path = auth_sessions.create(7, STORE)
    assert path == auth_sessions_dir / "7" / STORE / "whatsmeow.sqlite3"
    assert names(path.parent) == set()
    for folder in (auth_sessions_dir, auth_sessions_dir / "7", path.parent):
        assert folder.stat().st_mode & 0o777 == 0o700, folder
    assert not auth_sessions.exists(7, STORE)


def test_a_pairing_never_starts_on_old_credentials() -> None:
    old = link(7, STORE)
    assert auth_sessions.create(7, STORE) == old
    assert names(old.parent) == set()
    assert auth_sessions.linked_number(7, STORE) == ""


def test_a_store_exists_once_there_is_a_database() -> None:
    assert not auth_sessions.exists(7, STORE)
    link(7, STORE)
    assert auth_sessions.exists(7, STORE)
    assert not auth_sessions.exists(8, STORE)
    assert not auth_sessions.exists(7, "")


@pytest.mark.parametrize(
    "jid", ["5511987654321:3@s.whatsapp.net", "5511987654321.0:3@s.whatsapp.net"]
)
def test_a_linked_number_is_told_in_digits(jid: str) -> None:
    link(7, STORE, jid)
    assert auth_sessions.linked_number(7, STORE) == "5511987654321"
    assert auth_sessions.linked_number(8, STORE) == ""


def test_a_number_is_told_while_a_session_holds_the_database() -> None:
    path = link(7, STORE)
    with closing(sqlite3.connect(path)) as session:
        session.execute("BEGIN IMMEDIATE")
        session.execute("UPDATE whatsmeow_device SET lid = ''")
        assert auth_sessions.linked_number(7, STORE) == "5511987654321"


def test_no_number_where_no_phone_was_linked() -> None:
    path = auth_sessions.create(7, STORE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY)")
    assert auth_sessions.linked_number(7, STORE) == ""


def test_no_number_where_there_is_no_store() -> None:
    assert auth_sessions.linked_number(7, STORE) == ""
    assert auth_sessions.linked_number(7, "") == ""


def test_a_database_that_is_none_is_damaged() -> None:
    path = auth_sessions.create(7, STORE)
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(auth_sessions.Damaged):
        auth_sessions.linked_number(7, STORE)


def test_a_database_that_cannot_be_opened_is_not_damaged() -> None:
    path = auth_sessions.create(7, STORE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY)")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(auth_sessions.Unusable):
            auth_sessions.linked_number(7, STORE)


def test_an_empty_database_holds_no_one() -> None:
    auth_sessions.create(7, STORE).write_bytes(b"")
    assert auth_sessions.linked_number(7, STORE) == ""


def test_looking_changes_nothing() -> None:
    path = auth_sessions.create(7, STORE)
    path.write_bytes(b"")
    auth_sessions.linked_number(7, STORE)
    assert names(path.parent) == {path.name}
    assert path.read_bytes() == b""


def test_the_store_of_a_failed_attempt_goes_and_the_others_stay(auth_sessions_dir: Path) -> None:
    link(7, "attempt-1")
    link(7, "attempt-2")
    auth_sessions.discard(7, "attempt-2")
    auth_sessions.discard(7, "attempt-3")
    assert names(auth_sessions_dir / "7") == {"attempt-1"}


def test_a_new_link_takes_the_place_of_all_older_ones(auth_sessions_dir: Path) -> None:
    for store in ("attempt-1", "attempt-2", "attempt-3"):
        link(7, store)
    link(8, "attempt-9")
    auth_sessions.discard_others(7, {"attempt-2"})
    auth_sessions.discard_others(6, {"attempt-2"})
    assert names(auth_sessions_dir / "7") == {"attempt-2"}
    assert auth_sessions.linked_number(7, "attempt-2")
    assert names(auth_sessions_dir / "8") == {"attempt-9"}


def test_deleting_leaves_nothing_and_touches_no_one_else(auth_sessions_dir: Path) -> None:
    link(7, "attempt-1")
    link(7, "attempt-2")
    link(77, "attempt-3")
    assert auth_sessions.delete(7) is True
    assert names(auth_sessions_dir) == {"77"}
    assert auth_sessions.delete(7) is False


def test_deleting_before_anything_was_ever_linked() -> None:
    assert auth_sessions.delete(7) is False


def test_what_is_half_deleted_is_never_taken_for_whole(
    auth_sessions_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails in the middle: the folder has its doomed name by then, and goes next time."""

    def fail(path: Path) -> None:
        raise OSError("the disk failed")

    link(7, STORE)
    with monkeypatch.context() as broken:
        broken.setattr("shutil.rmtree", fail)
        with pytest.raises(OSError, match="the disk failed"):
            auth_sessions.delete(7)
    assert not auth_sessions.exists(7, STORE)
    link(77, STORE)
    assert auth_sessions.delete(7) is True
    assert names(auth_sessions_dir) == {"77"}


@pytest.mark.parametrize("number", ["../7", "7/..", "", ".deleted-7", "1e3"])
def test_only_a_number_names_a_folder(number: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        auth_sessions.folder(number)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["with space", "per%20cent", "a#b"])
def test_a_folder_of_any_name_will_do(tmp_path: Path, settings: Settings, name: str) -> None:
    settings.AUTH_SESSIONS_DIR = tmp_path / name
    link(7, STORE)
    assert auth_sessions.linked_number(7, STORE) == "5511987654321"
