"""The command that moves credentials between folders and PostgreSQL."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from connections import actions, file_lock
from connections.stores.folder_copies import FolderCopyBackend
from connections.tests.stores.test_move_auth_sessions import Backends, backends
from connections.tests.support.store_backends import DatabaseStores, database, postgres
from connections.tests.support.whatsmeow_store import write

__all__ = ["backends", "database", "postgres"]

pytestmark = [pytest.mark.sqlite_only, pytest.mark.django_db]

STORE = "attempt-3"


@pytest.fixture
def configured(backends: Backends, database: DatabaseStores, settings: Settings) -> Backends:
    folders = backends["folders"]
    assert isinstance(folders, FolderCopyBackend)
    settings.AUTH_SESSIONS_DIR = folders.root
    return backends


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("move_auth_sessions", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_command_moves_all_organizations_or_the_named_ones(configured: Backends) -> None:
    for number in (1, 2, 3):
        write(configured["folders"], number, STORE, prekeys=number)
    assert "1 of 1 organizations moved" in run("--to", "database", "--organization", "2")
    assert configured["folders"].organizations() == {1, 3}
    done = run("--to", "database")
    assert "organization 3: 1 stores" in done and "2 of 2 organizations moved" in done
    assert configured["database"].organizations() == {1, 2, 3}
    assert "3 of 3" in run("--to", "folders")
    assert configured["database"].organizations() == set()
    assert "5511987654321" not in done


def test_damaged_store_stays_and_others_are_moved(configured: Backends) -> None:
    for number in (1, 2):
        write(configured["folders"], number, STORE, prekeys=1)
    path = Path(configured["folders"].database(1, STORE))
    for wal in path.parent.glob("*-wal"):  # SQLite would recover the pages in it.
        wal.unlink()
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(CommandError, match="Not everything was moved"):
        run("--to", "database")
    assert configured["folders"].organizations() == {1} and path.exists()
    assert configured["database"].organizations() == {2}


def test_command_refuses_while_a_worker_is_alive(configured: Backends) -> None:
    write(configured["folders"], 1, STORE, prekeys=1)
    worker = actions.start_worker("machine:1")
    with pytest.raises(CommandError, match="The worker machine:1 is running"):
        run("--to", "database")
    assert configured["folders"].organizations() == {1}
    actions.stop_worker(worker)
    with (
        file_lock.exclusive(Path(django_settings.DATA_DIR) / "worker.lock"),
        pytest.raises(CommandError, match="another move is running"),
    ):
        run("--to", "database")
    run("--to", "database")
    assert configured["folders"].organizations() == set()


def test_command_without_a_postgresql_url_is_refused(settings: Settings) -> None:
    settings.AUTH_SESSIONS_URL = ""
    with pytest.raises(CommandError, match="Set DATABASE_URL or AUTH_SESSIONS_URL"):
        run("--to", "database")


def test_unavailable_database_changes_nothing(configured: Backends, settings: Settings) -> None:
    write(configured["folders"], 1, STORE, prekeys=1)
    secret = "hunter2hunter2"
    settings.AUTH_SESSIONS_URL = f"postgres://me:{secret}@127.0.0.1:1/nothing"
    with pytest.raises(CommandError, match="Nothing is lost") as raised:
        run("--to", "database")
    assert secret not in str(raised.value)
    assert configured["folders"].linked_number(1, STORE)
