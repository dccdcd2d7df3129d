"""Stores as folders on this machine: `<root>/<organization id>/<store>/whatsmeow.sqlite3`."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connections.stores.base import SECRETS_LIMIT, MessageSecret, StoreBackend
from connections.stores.errors import StoreDamaged, StoreUnusable
from connections.stores.jids import number_of

DATABASE = "whatsmeow.sqlite3"


@dataclass(frozen=True)
class FolderBackend(StoreBackend):
    """The stores below one folder, which may not exist yet."""

    root: Path

    def folder(self, organization_id: int) -> Path:
        """Return the organization's folder, which may not exist."""
        return self.root / str(int(organization_id))

    def path(self, organization_id: int, store: str) -> Path:
        """Return the database file of a store, which may not exist."""
        return self.folder(organization_id) / store / DATABASE

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def check(self) -> None:
        """Do nothing: each store has its own path."""

    def database(self, organization_id: int, store: str) -> str:
        return str(self.path(organization_id, store))

    def create(self, organization_id: int, store: str, template: bytes = b"") -> str:
        for path in (self.root, self.folder(organization_id)):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder(organization_id) / store
        if path.exists():
            shutil.rmtree(path)
        path.mkdir(mode=0o700)
        if template:
            with open(path / DATABASE, "xb", opener=_open_for_owner_only) as file:
                file.write(template)
        return str(path / DATABASE)

    def exists(self, organization_id: int, store: str) -> bool:
        return bool(store) and self.path(organization_id, store).is_file()

    def linked_number(self, organization_id: int, store: str) -> str:
        rows = self._read(organization_id, store, "SELECT jid FROM whatsmeow_device LIMIT 1")
        return number_of(rows[0][0]) if rows else ""

    def linked_lid(self, organization_id: int, store: str) -> str:
        rows = self._read(organization_id, store, "SELECT lid FROM whatsmeow_device LIMIT 1")
        return number_of(rows[0][0] or "") if rows else ""

    def sent_message_id(self, organization_id: int, store: str, secret: bytes) -> str | None:
        query = "SELECT message_id FROM whatsmeow_message_secrets WHERE key = ?"
        rows = self._read(organization_id, store, query, secret)
        if rows:
            return str(rows[0][0])
        return "" if self.linked_number(organization_id, store) else None

    def newest_secret(self, organization_id: int, store: str) -> int:
        query = "SELECT coalesce(max(rowid), 0) FROM whatsmeow_message_secrets"
        rows = self._read(organization_id, store, query)
        return int(rows[0][0]) if rows else 0

    def message_secrets(
        self, organization_id: int, store: str, after: int, upto: int
    ) -> list[MessageSecret]:
        query = (
            "SELECT rowid, chat_jid, sender_jid, message_id, key FROM whatsmeow_message_secrets"
            " WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?"
        )
        rows = self._read(organization_id, store, query, after, upto, SECRETS_LIMIT)
        return [MessageSecret(*row) for row in rows]

    def _read(
        self, organization_id: int, store: str, query: str, *values: object
    ) -> list[tuple[Any, ...]]:
        """Return a query's rows; none where the store or its tables are missing.

        Raises StoreDamaged, StoreUnusable.
        """
        path = self.path(organization_id, store)
        try:
            if not path.is_file():
                return []
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
                return db.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []  # whatsmeow was killed before it created its tables.
            raise StoreUnusable(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise StoreDamaged(str(error)) from error
        except OSError as error:
            raise StoreUnusable(error.strerror) from error

    def organizations(self) -> set[int]:
        with suppress(FileNotFoundError):
            return {int(path.name) for path in self.root.iterdir() if path.name.isdecimal()}
        return set()

    def stores(self, organization_id: int) -> set[str]:
        try:
            return {path.name for path in self.folder(organization_id).iterdir() if path.is_dir()}
        except FileNotFoundError:
            return set()

    def discard(self, organization_id: int, store: str) -> None:
        path = self.folder(organization_id) / store
        if path.is_dir():
            shutil.rmtree(path)
        self._remove_empty_folder(organization_id)

    def discard_others(self, organization_id: int, keep: Collection[str]) -> None:
        if not self.folder(organization_id).is_dir():
            return
        for path in self.folder(organization_id).iterdir():
            if path.name not in keep:
                shutil.rmtree(path)
        self._remove_empty_folder(organization_id)

    def _remove_empty_folder(self, organization_id: int) -> None:
        with suppress(OSError):  # It is not empty, or does not exist.
            self.folder(organization_id).rmdir()

    def delete(self, organization_id: int) -> bool:
        """Rename the folder first, so that half-deleted credentials are never used.

        Also delete what an earlier call could not delete.
        """
        path = self.folder(organization_id)
        with suppress(FileNotFoundError):
            path.rename(path.with_name(f".deleted-{path.name}-{secrets.token_hex(4)}"))
        doomed = list(path.parent.glob(f".deleted-{path.name}-*"))
        for renamed in doomed:
            shutil.rmtree(renamed)
        return bool(doomed)


def _open_for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
