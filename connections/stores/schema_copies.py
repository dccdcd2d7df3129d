"""Schemas that can be copied to and from (moving.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from connections.stores.errors import Unusable
from connections.stores.moving import CopyPlace, Row, Value
from connections.stores.postgres import STATEMENT_SECONDS, host_url
from connections.stores.schemas import DROP, NAMES, VERSIONS, SchemaPlace, schema_of, words

BATCH = 1000
COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = %s AND table_name LIKE 'whatsmeow%%' ORDER BY 1, 2
"""
COMMENT = "SELECT obj_description(to_regnamespace(%s)::oid, 'pg_namespace')"


class SchemaTables:
    """The tables of a schema."""

    def __init__(self, db: psycopg.Connection, schema: str) -> None:
        self._db = db
        self._schema = schema

    def columns(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for table, column in self._db.execute(COLUMNS, (self._schema,)):
            found.setdefault(str(table), []).append(str(column))
        return {table: sorted(columns) for table, columns in found.items()}

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        query = sql.SQL("SELECT {} FROM {}").format(*self._named(table, columns))
        with self._db.cursor(name="rows") as cursor:
            cursor.itersize = BATCH
            cursor.execute(query)
            for row in cursor:
                yield [_plain(value) for value in row]

    def fill(self, table: str, columns: Sequence[str], rows: Iterator[Row]) -> None:
        listed, name = self._named(table, columns)
        self._db.execute(sql.SQL("DELETE FROM {}").format(name))
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(name, listed)
        with self._db.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(row)

    def _named(self, table: str, columns: Sequence[str]) -> tuple[sql.Composed, sql.Identifier]:
        listed = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
        return listed, sql.Identifier(self._schema, table)


def _plain(value: object) -> Value:
    """As SQLite would give it."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | bytes):
        return value
    return str(value)  # a UUID


class SchemaCopies(SchemaPlace, CopyPlace):
    """Copies are in schemas `moving_<organization>_<store>` until they are complete."""

    def aside(self, organization_id: int, store: str) -> str:
        name = _aside(organization_id, store)
        with self.changing() as db:
            db.execute(DROP.format(sql.Identifier(name)))
            db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
            db.execute(VERSIONS.format(sql.Identifier(name)))
        return host_url(self.url, name)

    @contextmanager
    def tables(
        self, organization_id: int, store: str, aside: bool = False
    ) -> Iterator[SchemaTables]:
        schema = (_aside if aside else schema_of)(organization_id, store)
        try:
            with self.connections.transaction() as db:
                db.execute(f"SET LOCAL statement_timeout = '{20 * STATEMENT_SECONDS}s'")
                yield SchemaTables(db, schema)
        except psycopg.Error as error:
            raise Unusable(words(error)) from error

    def publish(self, organization_id: int, origins: dict[str, str]) -> None:
        """In one transaction. Nothing uses a copy yet, so it may be renamed."""
        with self.changing() as db:
            for store, origin in origins.items():
                ready = sql.Identifier(_aside(organization_id, store))
                final = sql.Identifier(schema_of(organization_id, store))
                db.execute(DROP.format(final))
                db.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(ready, final))
                db.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(final, origin))

    def origin(self, organization_id: int, store: str) -> str:
        with self.connections.transaction() as db:
            row = db.execute(COMMENT, (schema_of(organization_id, store),)).fetchone()
        return str(row[0]) if row and row[0] else ""

    def sweep(self) -> None:
        with self.connections.transaction() as db:
            left = [str(name) for (name,) in db.execute(NAMES, ("moving_",))]
        for name in left:
            with self.changing() as db:
                db.execute(DROP.format(sql.Identifier(name)))


def _aside(organization_id: int, store: str) -> str:
    return "moving_" + schema_of(organization_id, store).removeprefix("wa_")
