"""A machine with something to back up, and an empty one."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as django_connection
from pytest_django import Settings

from connections.models import Connection
from messaging import media_files
from messaging.models import Media, Message
from messaging.tests.support.api import message
from organizations.models import Organization
from organizations.tests.support.users import alice, organization
from whatsapp_orgs.backups.tests.machine import STORE, Machine

__all__ = ["alice", "organization"]

CONTENT = b"what a file says" * 100_000


def run(command: str, *arguments: object, **options: Any) -> str:
    """Run a management command. Return what it printed."""
    out = StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.fixture
def machine(
    transactional_db: None,
    organization: Organization,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Machine:
    """This installation: a linked organization with messages in all states, and a file."""
    made = Machine(tmp_path / "machine", settings, monkeypatch)
    made.use(Path(django_connection.settings_dict["NAME"]))
    connection = Connection.objects.of(organization)
    Connection.objects.filter(pk=connection.pk).update(store_name=STORE, number="5511987654321")
    made.link(organization.pk)
    for state in (Message.State.SENT, Message.State.QUEUED, Message.State.SENDING):
        message(organization, state=state)
    stored = media_files.save([CONTENT], len(CONTENT))
    Media.objects.create(
        organization=organization, state=Media.State.READY, stored_as=stored.name, size=stored.size
    )
    return made


@pytest.fixture
def empty(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine where nothing ever ran."""
    return Machine(tmp_path / "empty", settings, monkeypatch)


@pytest.fixture
def backup(machine: Machine, tmp_path: Path) -> Path:
    """A backup of the machine."""
    place = tmp_path / "a.backup"
    run("backup", place)
    return place
