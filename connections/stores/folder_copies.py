"""The folder backend for moves of credentials (moving.py)."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from connections.stores.folders import DATABASE, FolderBackend
from connections.stores.moving import CopyBackend, Row, Value

SOURCE_DIGEST_FILE = "copied-from"
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'whatsmeow%'"


class SqliteTables:
    """The tables of a SQLite file, which numbers all rows by itself."""

    number_column = "rowid"

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def has_numbers(self) -> bool:
        return True

    def columns(self) -> dict[str, list[str]]:
        tables = [str(name) for (name,) in self._db.execute(TABLES)]
        return {table: sorted(self._types(table)) for table in tables}

    def _types(self, table: str) -> dict[str, str]:
        found = self._db.execute("SELECT name, upper(type) FROM pragma_table_info(?)", (table,))
        return {str(name): str(kind) for name, kind in found}

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        types = self._types(table)
        kinds = [types.get(column, "INTEGER") for column in columns]
        for row in self._db.execute(f"SELECT {_quoted_list(columns)} FROM {table}"):
            yield [_as_declared(value, kind) for value, kind in zip(row, kinds, strict=True)]

    def fill(self, table: str, columns: Sequence[str], rows: Iterator[Row]) -> None:
        placeholders = ", ".join("?" * len(columns))
        self._db.execute(f"DELETE FROM {table}")
        self._db.executemany(
            f"INSERT INTO {table} ({_quoted_list(columns)}) VALUES ({placeholders})", rows
        )


def _quoted_list(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _as_declared(value: Value, kind: str) -> Value:
    """Return a value in the declared type: SQLite stores any type, PostgreSQL only this one."""
    if isinstance(value, str) and kind == "BYTEA":
        return value.encode()
    if isinstance(value, bytes) and kind == "TEXT":
        return value.decode()
    return value


class FolderCopyBackend(FolderBackend, CopyBackend):
    """Keeps folders; staged copies are in `.moving-<organization id>`."""

    def stage(self, organization_id: int, store: str) -> str:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._staging_folder(organization_id)
        path.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(path / store, ignore_errors=True)
        (path / store).mkdir(mode=0o700)
        return str(path / store / DATABASE)

    def _staging_folder(self, organization_id: int) -> Path:
        return self.root / f".moving-{int(organization_id)}"

    @contextmanager
    def tables(
        self, organization_id: int, store: str, staged: bool = False
    ) -> Iterator[SqliteTables]:
        path = self.path(organization_id, store)
        if staged:
            path = self._staging_folder(organization_id) / store / DATABASE
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as db, db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN")
            yield SqliteTables(db)

    def publish(self, organization_id: int, digests: dict[str, str]) -> None:
        """Rename the staging folder, or each store in it after an earlier partial move."""
        staging = self._staging_folder(organization_id)
        for store, source_digest in digests.items():
            (staging / store / SOURCE_DIGEST_FILE).write_text(source_digest)
            _sync_to_disk(staging / store)
        _sync_to_disk(staging)
        final = self.folder(organization_id)
        if not final.exists():
            staging.rename(final)
        else:
            for store in digests:
                if (final / store).exists():
                    doomed = f".deleted-{final.name}-{secrets.token_hex(4)}"
                    (final / store).rename(self.root / doomed)
                (staging / store).rename(final / store)
            _sync_to_disk(final)
        _sync_to_disk(self.root)

    def source_digest(self, organization_id: int, store: str) -> str:
        path = self.folder(organization_id) / store / SOURCE_DIGEST_FILE
        return path.read_text() if path.is_file() else ""

    def remove_staged(self) -> None:
        for pattern in (".moving-*", ".deleted-*"):
            for path in self.root.glob(pattern):
                shutil.rmtree(path)


def _sync_to_disk(folder: Path) -> None:
    """Flush a folder and its files to the disk."""
    for path in (*(found for found in folder.iterdir() if found.is_file()), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
