"""The PostgreSQL backend for moves of credentials (moving.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from connections.stores.base import SECRETS_TABLE
from connections.stores.errors import StoreUnusable
from connections.stores.moving import CopyBackend, Row, Value
from connections.stores.postgres import STATEMENT_SECONDS, host_url
from connections.stores.schemas import (
    ADD_ROW_NUMBERS,
    CREATE_VERSION_TABLE,
    DROP_SCHEMA,
    FIND_SCHEMAS,
    HAS_ROW_NUMBERS,
    SchemaBackend,
    error_message,
    schema_of,
)

BATCH = 1000
COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = %s AND table_name LIKE 'whatsmeow%%'
      AND column_name <> 'row_number' ORDER BY 1, 2
"""
CONTINUE_NUMBERS = sql.SQL(
    "SELECT setval(pg_get_serial_sequence(%s, 'row_number'), max(row_number)) FROM {}"
)
READ_COMMENT = "SELECT obj_description(to_regnamespace(%s)::oid, 'pg_namespace')"


class SchemaTables:
    """The tables of a schema."""

    number_column = "row_number"

    def __init__(self, db: psycopg.Connection, schema: str) -> None:
        self._db = db
        self._schema = schema

    def has_numbers(self) -> bool:
        table = f"{self._schema}.{SECRETS_TABLE}"
        row = self._db.execute(f"SELECT {HAS_ROW_NUMBERS}", (table,)).fetchone()
        return bool(row and row[0])

    def columns(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for table, column in self._db.execute(COLUMNS, (self._schema,)):
            found.setdefault(str(table), []).append(str(column))
        return {table: sorted(columns) for table, columns in found.items()}

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        query = sql.SQL("SELECT {} FROM {}").format(*self._identifiers(table, columns))
        with self._db.cursor(name="rows") as cursor:
            cursor.itersize = BATCH
            cursor.execute(query)
            for row in cursor:
                yield [_as_sqlite(value) for value in row]

    def fill(self, table: str, columns: Sequence[str], rows: Iterator[Row]) -> None:
        listed, name = self._identifiers(table, columns)
        numbered = self.number_column in columns
        if numbered and not self.has_numbers():
            self._db.execute(ADD_ROW_NUMBERS.format(name))
        self._db.execute(sql.SQL("DELETE FROM {}").format(name))
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(name, listed)
        with self._db.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(row)
        if numbered:
            self._db.execute(CONTINUE_NUMBERS.format(name), (f"{self._schema}.{table}",))

    def _identifiers(
        self, table: str, columns: Sequence[str]
    ) -> tuple[sql.Composed, sql.Identifier]:
        listed = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
        return listed, sql.Identifier(self._schema, table)


def _as_sqlite(value: object) -> Value:
    """Return a value as SQLite returns it, so that digests are comparable."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | bytes):
        return value
    return str(value)  # a UUID


class SchemaCopyBackend(SchemaBackend, CopyBackend):
    """Keeps schemas; staged copies are in `moving_<organization>_<store>`."""

    def stage(self, organization_id: int, store: str) -> str:
        name = _staging_schema(organization_id, store)
        with self.write_transaction() as db:
            db.execute(DROP_SCHEMA.format(sql.Identifier(name)))
            db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
            db.execute(CREATE_VERSION_TABLE.format(sql.Identifier(name)))
        return host_url(self.url, name)

    @contextmanager
    def tables(
        self, organization_id: int, store: str, staged: bool = False
    ) -> Iterator[SchemaTables]:
        schema = (_staging_schema if staged else schema_of)(organization_id, store)
        try:
            with self.pool.transaction() as db:
                db.execute(f"SET LOCAL statement_timeout = '{20 * STATEMENT_SECONDS}s'")
                yield SchemaTables(db, schema)
        except psycopg.Error as error:
            raise StoreUnusable(error_message(error)) from error

    def publish(self, organization_id: int, digests: dict[str, str]) -> None:
        """Rename all schemas in one transaction; nothing uses them yet."""
        with self.write_transaction() as db:
            for store, source_digest in digests.items():
                staging = sql.Identifier(_staging_schema(organization_id, store))
                final = sql.Identifier(schema_of(organization_id, store))
                db.execute(DROP_SCHEMA.format(final))
                db.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(staging, final))
                db.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(final, source_digest))

    def source_digest(self, organization_id: int, store: str) -> str:
        with self.pool.transaction() as db:
            row = db.execute(READ_COMMENT, (schema_of(organization_id, store),)).fetchone()
        return str(row[0]) if row and row[0] else ""

    def remove_staged(self) -> None:
        with self.pool.transaction() as db:
            staged = [str(name) for (name,) in db.execute(FIND_SCHEMAS, ("moving_",))]
        for name in staged:
            with self.write_transaction() as db:
                db.execute(DROP_SCHEMA.format(sql.Identifier(name)))


def _staging_schema(organization_id: int, store: str) -> str:
    return "moving_" + schema_of(organization_id, store).removeprefix("wa_")
