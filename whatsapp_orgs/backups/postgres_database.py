"""Backs up and restores PostgreSQL: COPY of all tables in one snapshot.

Not by pg_dump: it must be as new as the server and installed beside the product, which it is not in
containers. COPY only needs the driver, and its text format is the same for all versions; the
tables are made by the migrations of the same state.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection as django_connection
from psycopg import sql

from whatsapp_orgs.backups.archive import Block
from whatsapp_orgs.backups.databases import Counted, Parts, Snapshot, Target
from whatsapp_orgs.backups.errors import BackupError, Damaged

PREFIX = "database/"
ROWS_AT_ONCE = 2000
# One table takes minutes at most; a reader that hangs must not hold the snapshot for ever.
OPTIONS = "-c statement_timeout=6h -c lock_timeout=15s -c idle_in_transaction_session_timeout=6h"
COLUMNS = """
    SELECT c.table_name, c.column_name
    FROM information_schema.columns c JOIN pg_tables t
      ON t.schemaname = c.table_schema AND t.tablename = c.table_name
    WHERE c.table_schema = current_schema() AND c.is_generated = 'NEVER'
    ORDER BY c.table_name, c.ordinal_position
"""
SEQUENCES = """
    SELECT sequencename, last_value FROM pg_sequences
    WHERE schemaname = current_schema() AND last_value IS NOT NULL
"""
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
"""


def connect() -> psycopg.Connection:
    """Open a connection to Django's database beside Django's own. Raises BackupError."""
    own = ("context", "cursor_factory", "prepare_threshold")
    given = django_connection.get_connection_params()
    parameters = {name: value for name, value in given.items() if name not in own}
    try:
        return psycopg.connect(**{**parameters, "options": OPTIONS})
    except psycopg.OperationalError as error:
        raise BackupError(f"PostgreSQL does not answer: {error}") from error


class PostgresSnapshot(Snapshot):
    """A transaction that sees one moment of the database."""

    def __init__(self, db: psycopg.Connection) -> None:
        self._db = db
        row = db.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        self.name = str(row[0])
        """For other transactions in the same database, while this one is open."""

    def query(self, statement: str) -> Iterator[tuple[Any, ...]]:
        # A name of its own: an earlier query may still be read.
        with self._db.cursor(name=f"rows_{secrets.token_hex(4)}") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(statement.encode())
            yield from cursor

    def columns(self) -> dict[str, list[str]]:
        return _columns(self._db)

    def facts(self) -> dict[str, Any]:
        sequences: dict[str, int] = dict(self._db.execute(SEQUENCES).fetchall())
        return {"kind": "postgresql", "tables": self.columns(), "sequences": sequences}

    def parts(self, counted: Counted) -> Parts:
        tables = self.columns()
        for number, (table, columns) in enumerate(tables.items(), start=1):
            yield PREFIX + table, self._copy(table, columns)
            counted(number, len(tables), "tables")

    def close(self) -> None:
        self._db.rollback()

    def _copy(self, table: str, columns: Sequence[str]) -> Iterator[Block]:
        statement = sql.SQL("COPY {} ({}) TO STDOUT").format(*_identifiers(table, columns))
        with self._db.cursor() as cursor, cursor.copy(statement) as copy:
            yield from copy


@contextmanager
def postgres_snapshot() -> Iterator[PostgresSnapshot]:
    """Open a snapshot. Raises BackupError."""
    try:
        with connect() as db:
            db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            db.read_only = True
            yield PostgresSnapshot(db)
            db.rollback()
    except psycopg.Error as error:
        raise BackupError(f"PostgreSQL: {_message(error)}") from error


class PostgresTarget(Target):
    """The database of DATABASE_URL, which may have no tables yet."""

    kind = "postgresql"

    def __init__(self) -> None:
        self._db: psycopg.Connection | None = None
        self._columns: dict[str, list[str]] = {}

    def content(self) -> list[str]:
        with connect() as db:
            ((others,),) = db.execute(OTHERS).fetchall()
            if others:
                raise BackupError(
                    f"{others} other connections use the database: stop all web processes and "
                    "workers, and close other programs that are connected to it"
                )
            tables, found = _columns(db), []
            for table, what in (
                ("organizations_organization", "organizations"),
                ("auth_user", "users"),
            ):
                if table in tables:
                    name = sql.Identifier(table)
                    count = db.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
                    if count and count[0]:
                        found.append(f"{count[0]} {what}")
        return found

    @contextmanager
    def restoring(self, manifest: dict[str, Any]) -> Iterator[None]:
        self._make_tables([(app, name) for app, name in manifest["migrations"]])
        try:
            with connect() as db:
                self._columns = _columns(db)
                if self._columns != manifest["database"]["tables"]:
                    raise BackupError("the tables of this database are not those of the backup")
                tables = sql.SQL(", ").join(map(sql.Identifier, self._columns))
                db.execute(sql.SQL("TRUNCATE {}").format(tables))
                self._set_sequences(db, manifest["database"]["sequences"])
                self._db = db
                try:
                    yield
                finally:
                    db.rollback()
        except psycopg.Error as error:
            raise BackupError(f"PostgreSQL: {_message(error)}") from error

    def _make_tables(self, migrations: Sequence[tuple[str, str]]) -> None:
        """Give an empty database the tables of a state. Raises BackupError for another state."""
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(django_connection)
        applied = set(executor.loader.applied_migrations)
        try:
            if not applied:
                executor.migrate(_newest(executor, migrations))
            elif applied != set(migrations):
                raise BackupError(
                    "the tables of this database are of another version than those of the backup: "
                    "name an empty database, and migrate it after the restore"
                )
        finally:
            django_connection.close()
            django_connection.close_pool()  # type: ignore[attr-defined]

    def _set_sequences(self, db: psycopg.Connection, values: dict[str, int]) -> None:
        own = {name for (name,) in db.execute("SELECT sequencename FROM pg_sequences")}
        for name in own & values.keys():
            db.execute("SELECT setval(quote_ident(%s)::regclass, %s)", (name, values[name]))

    def fill(self, name: str, content: Iterable[bytes]) -> None:
        table = name.removeprefix(PREFIX)
        if self._db is None or name == table or table not in self._columns:
            raise Damaged(f"a backup of this database has no part {name}")
        into = _identifiers(table, self._columns[table])
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(*into)
        with self._db.cursor() as cursor, cursor.copy(statement) as copy:
            for block in content:
                copy.write(block)

    def execute(self, statement: str) -> int:
        assert self._db is not None
        return self._db.execute(statement.encode()).rowcount

    def publish(self) -> None:
        assert self._db is not None
        self._db.commit()


def _newest(executor: Any, migrations: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the migrations that no other one of their app follows."""
    followed = {
        parent.key
        for key in migrations
        for parent in executor.loader.graph.node_map[key].parents
        if parent.key[0] == key[0]
    }
    return [key for key in migrations if key not in followed]


def _columns(db: psycopg.Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in db.execute(COLUMNS):
        found.setdefault(table, []).append(column)
    return found


def _identifiers(table: str, columns: Sequence[str]) -> tuple[sql.Identifier, sql.Composed]:
    return sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))


def _message(error: psycopg.Error) -> str:
    """Return PostgreSQL's words, which name no value; else the kind of error."""
    return error.diag.message_primary or type(error).__name__
