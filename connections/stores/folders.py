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

from connections.stores.base import StoreBackend
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
        path = self.path(organization_id, store)
        try:
            if not path.is_file():
                return ""
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
                row = db.execute("SELECT jid FROM whatsmeow_device LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return ""  # whatsmeow was killed before it created its tables.
            raise StoreUnusable(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise StoreDamaged(str(error)) from error
        except OSError as error:
            raise StoreUnusable(error.strerror) from error
        return number_of(row[0]) if row else ""

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
