"""Machines with a data folder each, of which one is this installation."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from connections.stores.folders import FolderBackend
from whatsapp_orgs import media_storage
from whatsapp_orgs.backups.archive import ArchiveReader, ArchiveWriter

STORE = "attempt-3"
JID = "5511987654321:3@s.whatsapp.net"


class Machine:
    """A data folder; `use` makes it this installation's."""

    def __init__(self, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._settings, self._monkeypatch = settings, monkeypatch
        self.database = folder / "db.sqlite3"

    def use(self, database: Path | None = None) -> Machine:
        """Let the settings name this machine. `database`: elsewhere than in its folder.

        That of PostgreSQL stays as it is.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._settings.DATA_DIR = self.folder
        self._settings.AUTH_SESSIONS = "folders"
        self._settings.AUTH_SESSIONS_DIR = self.folder / "auth_sessions"
        media = media_storage.folder(self.folder / "media")
        self._settings.STORAGES = django_settings.STORAGES | {"media": media}
        if not django_settings.DATABASE_URL:
            name = database or self.database
            self._monkeypatch.setitem(django_settings.DATABASES["default"], "NAME", name)
        return self

    @property
    def stores(self) -> FolderBackend:
        return FolderBackend(self.folder / "auth_sessions")

    def link(self, organization: int, store: str = STORE) -> None:
        """Write a store with a device, a conversation and a gap in its row numbers."""
        path = Path(self.stores.create(organization, store))
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY, lid TEXT)")
            db.execute("INSERT INTO whatsmeow_device VALUES (?, '1:3@lid')", (JID,))
            db.execute("CREATE TABLE whatsmeow_sessions (our_jid TEXT, session BLOB)")
            db.execute("INSERT INTO whatsmeow_sessions VALUES (?, x'00')", (JID,))
            db.execute("CREATE TABLE whatsmeow_message_secrets (key TEXT PRIMARY KEY)")
            for number in range(9):
                db.execute("INSERT INTO whatsmeow_message_secrets VALUES (?)", (str(number),))
            db.execute("DELETE FROM whatsmeow_message_secrets WHERE rowid < 5")

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of the machine's own database."""
        return query(self.database, statement)

    def content(self) -> dict[str, bytes]:
        """Return all files with their contents, but for locks."""
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in paths
            if path.suffix != ".lock"
        }


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """Return a statement's rows from a SQLite file."""
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(statement).fetchall()


def rewrite(
    source: Path, target: Path, parts: dict[str, bytes] | None = None, **manifest: Any
) -> Path:
    """Write a valid backup with other facts or other parts than an existing one. Return it."""
    changed = dict(parts or {})
    with source.open("rb") as old, target.open("wb") as new:
        reader = ArchiveReader(old)
        writer = ArchiveWriter(new, reader.manifest | manifest)
        for name, content in reader.parts():
            writer.write(name, [changed.pop(name)] if name in changed else content)
        for name, added in changed.items():
            writer.write(name, [added])
        writer.finish({name: reader.end[name] for name in ("counts", "file_keys", "warnings")})
    return target
