"""A restore brings everything back, or changes nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from pytest_django import Settings

from connections import file_lock
from messaging import media_files
from messaging.models import Media
from organizations.models import Organization
from whatsapp_orgs.backups.tests.conftest import CONTENT, run
from whatsapp_orgs.backups.tests.machine import STORE, Machine, query, rewrite

pytestmark = pytest.mark.sqlite_only


def test_restore_brings_back_rows_credentials_and_files(
    backup: Path, machine: Machine, empty: Machine, organization: Organization
) -> None:
    stored = Media.objects.get().stored_as
    empty.use()
    told = run("restore", backup)
    assert "Restored: 1 organizations, 0 users, 1 linked, 3 messages, 1 stores, 1 files." in told
    assert "manage.py migrate" not in told
    states = empty.rows("SELECT state, reason FROM messaging_message ORDER BY id")
    assert states == [("sent", ""), ("held", "restored"), ("unknown", "host_gone")]
    assert b"".join(media_files.read(stored)) == CONTENT
    store = empty.stores.path(organization.pk, STORE)
    assert empty.stores.linked_number(organization.pk, STORE) == "5511987654321"
    assert query(store, "SELECT count(*), min(rowid) FROM whatsmeow_message_secrets") == [(5, 5)]
    # What the conversations' keys would encrypt, WhatsApp would drop in silence.
    assert query(store, "SELECT * FROM whatsmeow_sessions") == []
    assert {path.name for path in empty.folder.iterdir()} == {
        *("db.sqlite3", "auth_sessions", "media", "worker.lock"),
    }
    for path in empty.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0 or path.name == "worker.lock", path


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"product": "9.0"}, "made with this product 9.0, and here is"),
    ({"product": "?"}, "made with this product ?"),
    ({"neonize": "99.1"}, "made with neonize 99.1"),
    ({"migrations": [["messaging", "0999_later"]]}, "its migrations messaging.0999_later"),
    ({"database": {"kind": "postgresql"}}, "it is of PostgreSQL, and this installation uses SQ"),
    ({"migrations": None}, "its manifest has no migrations"),
]


def test_backup_that_does_not_fit_changes_nothing(
    backup: Path, empty: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.use()
    for number, (manifest, error) in enumerate(MISFITS):
        other = rewrite(backup, tmp_path / f"{number}.backup", **manifest)
        refused(other, error)
    refused(tmp_path / "missing", "there is no file")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    refused(Path("-"), "nothing is piped")
    content = backup.read_bytes()
    (tmp_path / "cut.backup").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "cut.backup", "damaged or incomplete")
    assert empty.content() == {}


def refused(backup: Path, error: str, *arguments: str) -> None:
    with pytest.raises(CommandError, match=f"Nothing was changed: .*{error}") as raised:
        run("restore", backup, *arguments)
    assert raised.value.returncode == 1


def test_missing_key_is_named(
    machine: Machine, empty: Machine, settings: Settings, tmp_path: Path
) -> None:
    key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    settings.DATA_KEYS = {"k7": key}
    stored = media_files.save([b"x"], 1)
    Media.objects.update(stored_as=stored.name)
    run("backup", tmp_path / "a.backup")
    empty.use()
    settings.DATA_KEYS = {"k7": key.replace("M", "N")}
    refused(tmp_path / "a.backup", "without the key 'k7' of DATA_KEYS")
    own, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 10
    settings.DATA_KEYS = {"k7": key}
    refused(tmp_path / "a.backup", "without its SECRET_KEY .the key id 'secret-key'")
    assert empty.content() == {}
    settings.SECRET_KEY_FALLBACKS = [own]
    assert "Restored" in run("restore", tmp_path / "a.backup")


def test_installation_in_use_or_with_content_is_refused(
    backup: Path, machine: Machine, empty: Machine
) -> None:
    empty.use()
    run("restore", backup)
    before = empty.content()
    refused(backup, "not empty: it has 1 organizations, the credentials of 1 organiz")
    with file_lock.exclusive(empty.folder / "worker.lock"):
        refused(backup, "the service is running", "--replace")
    with closing(sqlite3.connect(empty.database)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("SELECT * FROM auth_user").fetchall()
        refused(backup, "another process uses", "--replace")
    assert empty.content().keys() == before.keys()
    empty.link(77)
    empty.rows("DELETE FROM messaging_message")
    restored = json.loads(run("restore", backup, "--replace", "--json"))
    assert (restored["success"], restored["held_messages"]) == (True, 1)
    assert empty.content().keys() == before.keys()
    assert empty.rows("SELECT count(*) FROM messaging_message") == [(3,)]


@pytest.mark.parametrize("name", ["credentials/8/attempt-1", "database.sqlite3"])
def test_failed_restore_leaves_everything_as_it_was(
    backup: Path, machine: Machine, empty: Machine, tmp_path: Path, name: str
) -> None:
    empty.use()
    run("restore", backup)
    [file] = (empty.folder / "media").rglob("*/*")
    file.unlink()
    before = empty.content()
    broken = rewrite(backup, tmp_path / "broken.backup", {name: b"no database" * 1000})
    refused(broken, "database", "--replace")
    assert empty.content() == before


def test_failure_after_the_credentials_puts_them_back(
    backup: Path, machine: Machine, empty: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.use()
    run("restore", backup)
    before = empty.content()
    empty.link(77)
    before = empty.content()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("whatsapp_orgs.backups.sqlite_database.os.replace", fail)
    refused(backup, "No space left", "--replace")
    assert empty.content() == before
