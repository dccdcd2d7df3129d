"""Copies the credentials into files: one of SQLite for each store, wherever that is kept.

So a backup of schemas fits folders and the other way round, and the library itself brings the
tables up to its version where a newer one restores them.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
from django.conf import settings

from connections.stores import StoreBackend, store_backend
from connections.stores.folder_copies import SqliteTables
from connections.stores.moving import copy_table
from connections.stores.postgres import CONNECT_SECONDS
from connections.stores.schema_copies import SchemaTables
from connections.stores.schemas import schema_of
from connections.worker.hosts.store_template import StorePreparer
from whatsapp_orgs.backups.databases import Counted
from whatsapp_orgs.backups.errors import BackupError
from whatsapp_orgs.backups.postgres_database import OPTIONS
from whatsapp_orgs.backups.sqlite_database import check_database, copy_database


class CopyStore(Protocol):
    """Writes a store into a new file. Raises NotCopied."""

    def __call__(self, organization_id: int, store: str, target: Path) -> None: ...


class NotCopied(Exception):
    """A store is not in the backup; the text says why."""


class Gone(NotCopied):
    """A store was deleted since the list of stores was made: a phone was unlinked."""


def copied_stores(
    folder: Path, snapshot: str, counted: Counted, warn: Callable[[str], None]
) -> Iterator[tuple[int, str, Path]]:
    """Copy all stores one after the other; yield each with its file, which is removed afterwards.

    `snapshot`: of a PostgreSQL that has the stores, too; "" for now.
    """
    backend = store_backend()
    stores = [
        (number, store)
        for number in sorted(backend.organizations())
        for store in sorted(backend.stores(number))
        if backend.exists(number, store)
    ]
    with _copier(backend, folder, snapshot) as copy_store:
        for done, (number, store) in enumerate(stores, start=1):
            target = folder / "store.sqlite3"
            target.unlink(missing_ok=True)
            try:
                copy_store(number, store, target)
            except Gone:
                continue
            except NotCopied as error:
                warn(f"organization {number}: {store} is not in this backup: {error}")
                continue
            yield number, store, target
            counted(done, len(stores), "stores")


@contextmanager
def _copier(backend: StoreBackend, folder: Path, snapshot: str) -> Iterator[CopyStore]:
    if settings.AUTH_SESSIONS == "folders":

        def copy_file(organization_id: int, store: str, target: Path) -> None:
            source = Path(backend.database(organization_id, store))
            try:
                copy_database(source, target)
                check_database(target)
            except (sqlite3.Error, OSError) as error:
                if not source.exists():
                    raise Gone from error
                raise NotCopied(str(error)) from error

        yield copy_file
        return
    template = _template(folder)

    def copy_schema(organization_id: int, store: str, target: Path) -> None:
        shutil.copyfile(template, target)
        _copy_schema(schema_of(organization_id, store), snapshot, target)

    yield copy_schema


def _template(folder: Path) -> Path:
    """Make a store with the library's tables, and without rows. Raises BackupError."""
    made, template = folder / "made.sqlite3", folder / "template.sqlite3"
    with StorePreparer() as prepare:
        if failed := prepare(str(made)):
            raise BackupError(f"the library could not make a store: {failed}")
    try:
        copy_database(made, template)
    except sqlite3.Error as error:
        raise BackupError(f"a store cannot be written in DATA_DIR: {error}") from error
    return template


def _copy_schema(schema: str, snapshot: str, target: Path) -> None:
    """Copy a schema's rows into a file that has the tables. Raises NotCopied, BackupError.

    A transaction for each: one for all would hold a lock for each of thousands of tables.
    """
    url = settings.AUTH_SESSIONS_URL
    try:
        with (
            psycopg.connect(url, connect_timeout=CONNECT_SECONDS, options=OPTIONS) as db,
            closing(sqlite3.connect(target)) as file,
            file,
        ):
            db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            db.read_only = True
            if snapshot:
                db.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'".encode())
            old, new = SchemaTables(db, schema), SqliteTables(file)
            columns = old.columns()
            if not columns:
                raise Gone
            if columns != new.columns():
                raise NotCopied(
                    "its tables are of another version of neonize; they are renewed when the "
                    "organization is connected again"
                )
            for table, names in columns.items():
                copy_table(old, new, table, names)
            db.rollback()
    except psycopg.errors.UndefinedTable as error:
        raise Gone from error
    except psycopg.OperationalError as error:
        raise BackupError(f"the PostgreSQL of the credentials does not answer: {error}") from error
    except sqlite3.OperationalError as error:  # A full disk: all others would fail as well.
        raise BackupError(f"{schema} cannot be copied into DATA_DIR: {error}") from error
    except sqlite3.Error as error:
        raise NotCopied(str(error)) from error
