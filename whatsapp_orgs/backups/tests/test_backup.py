"""A backup is consistent while others write, whole or not there, and readable by its user only."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from messaging import media_files
from messaging.models import Media
from organizations.models import Organization
from whatsapp_orgs.backups.archive import ArchiveReader
from whatsapp_orgs.backups.sqlite_database import copy_database
from whatsapp_orgs.backups.tests.conftest import run
from whatsapp_orgs.backups.tests.machine import STORE, Machine, query

pytestmark = pytest.mark.sqlite_only


def test_copy_of_a_database_is_of_one_moment_and_keeps_row_numbers(tmp_path: Path) -> None:
    source, target = tmp_path / "source.sqlite3", tmp_path / "target.sqlite3"
    with closing(sqlite3.connect(source, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE filled (word TEXT PRIMARY KEY, more BLOB)")
        db.execute("BEGIN")
        for number in range(1500):
            db.execute("INSERT INTO filled VALUES (?, zeroblob(4000))", (str(number),))
        db.execute("COMMIT")
        db.execute("DELETE FROM filled WHERE rowid < 100")
        written: list[bool] = []

        def write(*_: object) -> None:
            db.execute("INSERT INTO filled VALUES (?, NULL)", (f"later {len(written)}",))
            written.append(True)

        copy_database(source, target, write)
    assert len(written) > 1  # It was written between the steps of the copy.
    assert query(target, "SELECT count(*), min(rowid) FROM filled") == [(1401, 100)]
    assert target.stat().st_mode & 0o777 == 0o600


def test_backup_says_what_is_in_it_and_leaves_nothing_else(
    machine: Machine, organization: Organization, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    written = json.loads(run("backup", folder, "--json"))
    [file] = folder.iterdir()
    assert written["counts"] == {
        **{"organizations": 1, "users": 0, "linked": 1, "messages": 3},
        **{"stores": 1, "files": 1},
    }
    assert (written["place"], written["warnings"]) == (str(file), [])
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open("rb") as stream:
        reader = ArchiveReader(stream)
        names = [name for name, _ in reader.parts()]
    stored = Media.objects.get().stored_as
    credentials = f"credentials/{organization.pk}/{STORE}"
    assert names == ["database.sqlite3", credentials, f"media/{stored}"]
    assert reader.manifest["used_keys"] == ["secret-key"]
    assert [path for path in machine.folder.iterdir() if path.name.startswith(".")] == []
    assert "Keep it secret" in run("backup", tmp_path / "another")


def test_old_backups_are_removed_after_a_new_one_and_nothing_else(
    machine: Machine, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    old = [f"whatsapp-orgs-2026010{day}T000000Z.backup" for day in (1, 2, 3)]
    killed = f".{old[0]}.0123abcd"
    for name in (*old, killed, "my own file", "whatsapp-orgs-elsewhere.backup"):
        (folder / name).write_text("")
    os.utime(folder / killed, (0, 0))
    assert json.loads(run("backup", folder, "--keep", 2, "--json"))["removed"] == old[:2]
    left = {path.name for path in folder.iterdir()}
    assert {"my own file", "whatsapp-orgs-elsewhere.backup", old[2]} < left and len(left) == 4
    with pytest.raises(CommandError, match="--keep needs a folder"):
        run("backup", tmp_path / "file", "--keep", 2)


def test_what_is_missing_is_named_and_has_its_exit_code(
    machine: Machine, organization: Organization, tmp_path: Path
) -> None:
    media_files.delete(Media.objects.get().stored_as)
    machine.stores.path(organization.pk, STORE).write_bytes(b"no database" * 100)
    with pytest.raises(CommandError, match="not complete") as raised:
        run("backup", tmp_path / "a.backup")
    assert raised.value.returncode == 3
    with (tmp_path / "a.backup").open("rb") as file:
        reader = ArchiveReader(file)
        assert [name for name, _ in reader.parts()] == ["database.sqlite3"]
    damaged, lost, files = sorted(reader.end["warnings"], key=len, reverse=True)
    assert f"organization {organization.pk}" in damaged and f"{organization.pk}" in lost
    assert files == "1 files of messages are not in the storage"


def test_failed_backup_leaves_no_file(machine: Machine, tmp_path: Path) -> None:
    existing = tmp_path / "existing"
    existing.write_text("kept")
    for place, error in (
        (existing, "exists already"),
        (tmp_path / "no folder" / "file", "cannot be written"),
    ):
        with pytest.raises(CommandError, match=error) as raised:
            run("backup", place)
        assert raised.value.returncode == 1
    Path(machine.folder / "media").rename(tmp_path / "away")
    (machine.folder / "media").write_text("a file")  # The storage fails in the middle.
    with pytest.raises(CommandError, match="storage of files"):
        run("backup", tmp_path / "failed")
    assert existing.read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"existing", "machine", "away"}
    assert [path for path in machine.folder.iterdir() if path.name.startswith(".")] == []


def test_signal_ends_a_backup_without_a_trace(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_files, "storage", lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(CommandError, match="No backup was written: interrupted") as raised:
        run("backup", tmp_path / "a.backup")
    assert raised.value.returncode == 128 + signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["machine"]
    assert [path for path in machine.folder.iterdir() if path.name.startswith(".")] == []


def test_backup_needs_a_place() -> None:
    with pytest.raises(CommandError, match="FILE"):
        call_command("backup")
