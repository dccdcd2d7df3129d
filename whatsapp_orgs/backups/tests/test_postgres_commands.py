"""The real commands on PostgreSQL: a backup through pipes, into a database that has something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.files.storage import Storage
from django.db import connection as django_connection
from pytest_django import Settings

from connections.models import Connection
from connections.stores.schema_copies import SchemaCopyBackend
from connections.tests.support.whatsmeow_store import write
from messaging import media_files
from messaging.models import Media
from messaging.tests.support.api import message
from organizations.models import Organization
from tests.support import application
from tests.support.application import ROOT, query_postgres
from whatsapp_orgs.backups.tests.conftest import CONTENT, run
from whatsapp_orgs.backups.tests.machine import STORE, Machine
from whatsapp_orgs.tests.support import isolation

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(django_connection.vendor != "postgresql", reason="PostgreSQL is restored"),
]

NUMBER = "5511987654321"
NAMES = b"SELECT name FROM organizations_organization ORDER BY name"
STATES = b"SELECT state, reason FROM messaging_message ORDER BY id"
SCHEMAS = b"SELECT nspname FROM pg_namespace WHERE nspname ~ '^(wa|moving|replaced)_' ORDER BY 1"

TRANSACTIONS = b"""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
"""


class Place:
    """A data folder and a database, on which the commands run."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def manage(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a management command in a process, with this as its standard input."""
        environment = isolation.environment(self.folder) | {
            "DATABASE_URL": self.url,
            "REDIS_URL": "",
            "SECRET_KEY": django_settings.SECRET_KEY,
        }
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, input=given, cwd=ROOT, env=environment, capture_output=True, timeout=60
        )

    def rows(self, statement: bytes) -> list[tuple[object, ...]]:
        """Return a statement's rows."""
        return query_postgres(self.url, statement)


@pytest.fixture
def source(
    transactional_db: None,
    organization: Organization,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """The database of the tests: a linked organization with three messages, and a file."""
    name = str(django_connection.settings_dict["NAME"])
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    machine = Machine(tmp_path / "source", settings, monkeypatch).use()
    Connection.objects.filter(pk=organization.pk).update(store_name=STORE, number=NUMBER)
    for state in ("sent", "queued", "sending"):
        message(organization, state=state)
    stored = media_files.save([CONTENT], len(CONTENT))
    Media.objects.create(
        organization=organization, state="ready", stored_as=stored.name, size=stored.size
    )
    backend = SchemaCopyBackend(url)
    write(backend, organization.pk, STORE, prekeys=3)
    yield Place(machine.folder, url)
    backend.delete(organization.pk)
    backend.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Place]:
    """Another database with tables, and with an organization and credentials of its own."""
    database = application.TestDatabase(os.environ["DATABASE_URL"], f"restored_{os.getpid()}")
    database.create()
    (tmp_path / "target").mkdir(mode=0o700)
    backend = SchemaCopyBackend(database.url)
    write(backend, 77, "attempt-1", prekeys=1)
    backend.close()
    query_postgres(
        database.url,
        b"INSERT INTO organizations_organization (name, expected_number, created_at,"
        b" operators_read_messages) VALUES ('Older', '', now(), false)",
    )
    yield Place(tmp_path / "target", database.url)
    database.drop()


def test_backup_from_a_pipe_replaces_a_database_only_on_request(
    source: Place, target: Place, organization: Organization
) -> None:
    made = source.manage("backup", "-")
    assert made.returncode == 0, made.stderr
    before = [target.rows(statement) for statement in (NAMES, STATES, SCHEMAS)]
    assert before == [[("Older",)], [], [("wa_77_attempt_1",)]]

    for given, arguments, error in (
        (made.stdout, (), b"not empty: it has 1 organizations, the credentials of 1 organizations"),
        (made.stdout[:-2000], ("--replace",), b"damaged or incomplete"),
    ):
        refused = target.manage("restore", "-", *arguments, given=given)
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert b"Nothing was changed" in refused.stderr and error in refused.stderr
        assert [target.rows(statement) for statement in (NAMES, STATES, SCHEMAS)] == before

    done = target.manage("restore", "-", "--replace", "--json", given=made.stdout)
    assert done.returncode == 0, done.stderr
    restored = json.loads(done.stdout)
    assert (restored["warnings"], restored["held_messages"]) == ([], 1)
    assert target.rows(NAMES) == [(organization.name,)]
    assert target.rows(STATES) == [("sent", ""), ("held", "restored"), ("unknown", "host_gone")]
    schema = f"wa_{organization.pk}_{STORE.replace('-', '_')}"
    assert target.rows(SCHEMAS) == [(schema,)]
    device = f"SELECT jid FROM {schema}.whatsmeow_device".encode()
    assert target.rows(device) == source.rows(device)
    assert target.rows(f"SELECT * FROM {schema}.whatsmeow_sessions".encode()) == []
    [file] = (target.folder / "media").rglob("*/*")
    assert file.stat().st_size > len(CONTENT)
    # New rows continue behind those of the backup.
    [(newest,)] = target.rows(b"SELECT last_value FROM organizations_organization_id_seq")
    assert newest == organization.pk
    assert {path.name for path in target.folder.iterdir()} <= {"media", "worker.lock"}


def test_files_are_copied_when_the_snapshot_has_ended(
    source: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, found = media_files.storage, []

    def look_and_return() -> Storage:
        found.append(source.rows(TRANSACTIONS))
        return storage()

    monkeypatch.setattr(media_files, "storage", look_and_return)
    assert json.loads(run("backup", tmp_path / "a.backup", "--json"))["counts"]["files"] == 1
    assert found == [[(0,)]]
