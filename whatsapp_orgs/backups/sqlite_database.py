"""Backs up and restores SQLite: one file, copied by SQLite's own online backup.

Not by VACUUM INTO, which may give other numbers to the rows of tables without an integer key; the
positions in the library's tables of message secrets are such numbers.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from whatsapp_orgs.backups.databases import Counted, Parts, Snapshot, Target
from whatsapp_orgs.backups.errors import BackupError, Damaged

PART = "database.sqlite3"
PAGES_AT_ONCE = 1000
READ_BYTES = 1024 * 1024
BUSY_SECONDS = 20.0


def copy_database(source: Path, target: Path, counted: Counted = lambda *_: None) -> None:
    """Copy a database that may be in use, as it is at one moment. Raises sqlite3.Error.

    Writers go on meanwhile: the open transaction keeps the moment.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    address = f"{source.as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as db:
        db.isolation_level = None
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(target)) as copy:
            db.backup(
                copy,
                pages=PAGES_AT_ONCE,
                progress=lambda _, left, total: counted(total - left, total, "pages"),
            )


def check_database(path: Path) -> None:
    """Raise sqlite3.DatabaseError if a database is damaged."""
    with closing(sqlite3.connect(path)) as db:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def read_file(path: Path) -> Iterator[bytes]:
    """Yield a file's content."""
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            yield block


def write_file(path: Path, content: Iterable[bytes]) -> None:
    """Write a new file for this user only, to the disk."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for block in content:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


class SqliteSnapshot(Snapshot):
    """A copy of the database in a folder for temporary files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)

    def query(self, statement: str) -> Iterator[tuple[Any, ...]]:
        yield from self._db.execute(statement)

    def columns(self) -> dict[str, list[str]]:
        statement = (
            "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c"
            " WHERE t.type = 'table'"
        )
        found: dict[str, list[str]] = {}
        for table, column in self.query(statement):
            found.setdefault(table, []).append(column)
        return found

    def facts(self) -> dict[str, Any]:
        return {"kind": "sqlite"}

    def parts(self, counted: Counted) -> Parts:
        yield PART, read_file(self._path)

    def close(self) -> None:
        self._db.close()


@contextmanager
def sqlite_snapshot(source: Path, folder: Path, counted: Counted) -> Iterator[SqliteSnapshot]:
    """Copy the database into a folder, and open the copy. Raises BackupError."""
    copy = folder / PART
    try:
        copy_database(source, copy, counted)
        check_database(copy)
    except sqlite3.DatabaseError as error:
        raise BackupError(f"the database {source} cannot be read: {error}") from error
    with closing(SqliteSnapshot(copy)) as snapshot:
        yield snapshot


class SqliteTarget(Target):
    """The database file of this installation, which may not exist yet."""

    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(f".restoring-{secrets.token_hex(4)}.sqlite3")

    def content(self) -> list[str]:
        if not self._path.exists():
            return []
        self._refuse_use()
        with closing(sqlite3.connect(self._path)) as db:
            found = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            kept = {"organizations_organization": "organizations", "auth_user": "users"}
            counts = {
                what: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table, what in kept.items()
                if table in found
            }
        return [f"{count} {what}" for what, count in counts.items() if count]

    def _refuse_use(self) -> None:
        """Raise BackupError if another process has the file open.

        Only the last one can end the write-ahead log; doing so leaves one file to replace.
        """
        try:
            with closing(sqlite3.connect(self._path, timeout=0)) as db:
                db.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.OperationalError as error:
            raise BackupError(
                f"another process uses {self._path} ({error}): stop the service first"
            ) from error
        except sqlite3.DatabaseError as error:
            raise BackupError(f"{self._path} is no database: {error}") from error

    @contextmanager
    def restoring(self, manifest: dict[str, Any]) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._path.parent.glob(".restoring-*.sqlite3*"):  # by a kill
            left.unlink()
        try:
            yield
        finally:
            for suffix in ("", "-wal", "-shm", "-journal"):
                self._new.with_name(self._new.name + suffix).unlink(missing_ok=True)

    def fill(self, name: str, content: Iterable[bytes]) -> None:
        if name != PART:
            raise Damaged(f"a backup of SQLite has no part {name}")
        write_file(self._new, content)
        try:
            with closing(sqlite3.connect(self._new)) as db:
                # Without a log beside it, so that one rename publishes it.
                db.execute("PRAGMA journal_mode = DELETE").fetchone()
            check_database(self._new)
        except sqlite3.DatabaseError as error:
            raise Damaged(f"the database in this backup cannot be read: {error}") from error

    def execute(self, statement: str) -> int:
        with closing(sqlite3.connect(self._new)) as db, db:
            return db.execute(statement).rowcount

    def publish(self) -> None:
        os.replace(self._new, self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
