"""Puts credentials of a backup where this installation keeps its own: in folders or in schemas."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from django.conf import settings
from psycopg import sql

from connections.stores import StoreDamaged, StoreUnusable, store_backend
from connections.stores.base import StoreBackend
from connections.stores.folder_copies import FolderCopyBackend
from connections.stores.moving import NotMoved, stage_copy
from connections.stores.schema_copies import SchemaCopyBackend
from connections.stores.schemas import DROP_SCHEMA, FIND_SCHEMAS
from connections.worker.hosts.store_template import StorePreparer
from whatsapp_orgs.backups.databases import Counted
from whatsapp_orgs.backups.errors import BackupError
from whatsapp_orgs.backups.sqlite_database import write_file

# How the names of schemas begin: those in use, those that were, and copies (schema_copies.py).
OWN, ASIDE, STAGED = "wa_", "replaced_wa_", "moving_"
SESSION_TABLES = ("whatsmeow_sessions", "whatsmeow_sender_keys")


class RestoredCredentials(ABC):
    """Credentials that are staged first, and then take the place of all that are there."""

    def __init__(self, backend: StoreBackend, staging: Path) -> None:
        self.backend = backend
        self._folders = FolderCopyBackend(staging)

    def content(self) -> list[str]:
        """Return what is there already, for people."""
        count = len(self.backend.organizations())
        return [f"the credentials of {count} organizations"] if count else []

    def stage(self, organization_id: int, store: str, content: Iterable[bytes]) -> None:
        """Take a store of the archive."""
        path = self._folders.path(organization_id, store)
        root = self._folders.root
        for folder in (root.parent, root, path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(path, content)
        _forget_sessions(path)

    @property
    def staged(self) -> list[int]:
        """The organizations whose credentials are staged."""
        return sorted(self._folders.organizations())

    def remove_staged(self) -> None:
        """Remove what was not published."""
        shutil.rmtree(self._folders.root, ignore_errors=True)

    def close(self) -> None:
        """Close open connections."""
        self.backend.close()

    @abstractmethod
    def publish(self, counted: Counted) -> None:
        """Put the staged stores in the place of those that are there, which stay aside."""

    @abstractmethod
    def undo(self) -> None:
        """Put back those that were there before. Raises OSError, StoreUnavailable."""

    @abstractmethod
    def remove_replaced(self) -> None:
        """Remove those that were there before. Raises OSError, StoreUnavailable."""


class RestoredFolders(RestoredCredentials):
    """In AUTH_SESSIONS_DIR, by renames within it: it may be a volume of its own."""

    def __init__(self) -> None:
        root, tag = Path(settings.AUTH_SESSIONS_DIR), secrets.token_hex(4)
        super().__init__(FolderCopyBackend(root), root / f".restoring-{tag}")
        self._root, self._aside = root, root / f".replaced-{tag}"
        self._published: list[int] = []

    def content(self) -> list[str]:
        for left in self._root.glob(".restoring-*"):  # by a kill
            shutil.rmtree(left)
        for left in self._root.glob(".replaced-*"):
            raise BackupError(
                f"a restore was killed at its last step: {left} has the older credentials. Move "
                "what is in it back, or remove it"
            )
        return super().content()

    def publish(self, counted: Counted) -> None:
        for number in sorted(self.backend.organizations()):
            self._aside.mkdir(mode=0o700, exist_ok=True)
            (self._root / str(number)).rename(self._aside / str(number))
        for number in self.staged:
            (self._folders.root / str(number)).rename(self._root / str(number))
            self._published.append(number)

    def undo(self) -> None:
        for number in self._published:
            shutil.rmtree(self._root / str(number))
        if self._aside.exists():
            for path in self._aside.iterdir():
                path.rename(self._root / path.name)
            self._aside.rmdir()

    def remove_replaced(self) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._aside)


class RestoredSchemas(RestoredCredentials):
    """In the PostgreSQL of AUTH_SESSIONS_URL, by renames in one transaction."""

    backend: SchemaCopyBackend

    def __init__(self, staging: Path) -> None:
        super().__init__(SchemaCopyBackend(settings.AUTH_SESSIONS_URL), staging)
        self._published = False

    def content(self) -> list[str]:
        if left := self._names(ASIDE):
            raise BackupError(
                f"a restore was killed at its last step: the schemas {', '.join(left)} have the "
                "older credentials. Rename them back, or drop them"
            )
        return super().content()

    def publish(self, counted: Counted) -> None:
        self.backend.remove_staged()
        staged = self.staged
        with StorePreparer() as prepare:
            for done, number in enumerate(staged, start=1):
                try:
                    for store in self._folders.stores(number):
                        stage_copy(number, store, self._folders, self.backend, prepare)
                except (NotMoved, StoreDamaged, StoreUnusable) as error:
                    raise BackupError(
                        f"the credentials of organization {number}: {error}"
                    ) from error
                counted(done, len(staged), "organizations")
        self._rename((OWN, ASIDE), (STAGED, OWN))
        self._published = True

    def undo(self) -> None:
        if self._published:
            self._rename((OWN, STAGED), (ASIDE, OWN))
        self.backend.remove_staged()

    def remove_replaced(self) -> None:
        for name in self._names(ASIDE):
            with self.backend.write_transaction() as db:
                db.execute(DROP_SCHEMA.format(sql.Identifier(name)))

    def _rename(self, *prefixes: tuple[str, str]) -> None:
        """Rename all schemas with the first prefix of a pair, for each pair in its order."""
        found = [(self._names(old), old, new) for old, new in prefixes]
        with self.backend.write_transaction() as db:
            for names, old, new in found:
                for name in names:
                    before, after = (
                        sql.Identifier(name),
                        sql.Identifier(new + name.removeprefix(old)),
                    )
                    db.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(before, after))

    def _names(self, prefix: str) -> list[str]:
        with self.backend.pool.transaction() as db:
            return [str(name) for (name,) in db.execute(FIND_SCHEMAS, (prefix,))]


def _forget_sessions(path: Path) -> None:
    """Delete the keys of all conversations from a store, so that the library begins new ones.

    Those of a backup are behind: they would encrypt with keys that the other side has used, which
    it takes for a repetition and drops in silence (docs/backup.md).
    """
    with closing(sqlite3.connect(path)) as db, db:
        found = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        for table in SESSION_TABLES:
            if table in found:
                db.execute(f"DELETE FROM {table}")


def restored_credentials(folder: Path) -> RestoredCredentials:
    """Return the place that AUTH_SESSIONS names. `folder`: for what is staged for schemas."""
    if settings.AUTH_SESSIONS == "folders":
        return RestoredFolders()
    store_backend().close()
    return RestoredSchemas(folder / "credentials")
