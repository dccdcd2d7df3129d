"""Stores as schemas of a PostgreSQL, for workers on several machines.

Each store is a schema `wa_<organization>_<store>`, rather than each organization: a pairing must
start on an empty store while the linked one is still in use, and no schema is renamed while a
client uses it. The prefix finds all schemas of an organization.

whatsmeow checks whether its version table exists without naming a schema. From the second store
on, it would find another store's and not create its own, so a fresh store gets an empty one.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from connections.stores.base import (
    SECRETS_LIMIT,
    SECRETS_TABLE,
    MessageSecret,
    StoreBackend,
    StoreKey,
)
from connections.stores.errors import StoreDamaged, StoreUnavailable, StoreUnusable
from connections.stores.jids import number_of
from connections.stores.postgres import PostgresPool, host_url

STORE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
FIND_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)"
CREATE_VERSION_TABLE = sql.SQL(
    "CREATE TABLE {}.whatsmeow_version (version INTEGER, compat INTEGER)"
)
# Another thread, or the worker before, may add it at the same time.
ADD_ROW_NUMBERS = sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS row_number BIGSERIAL")
"""The name of the new column is also in `schema_copies.COLUMNS`: a move leaves it out."""
HAS_ROW_NUMBERS = (
    "EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = 'row_number')"
)
DROP_SCHEMA = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE")


class SchemaChangeFailed(OSError):
    """PostgreSQL refused to create or drop a store; `strerror` has its message."""


class SchemaBackend(StoreBackend):
    """The stores in one PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool = PostgresPool(url)

    def close(self) -> None:
        """Close the idle connections."""
        self.pool.close()

    def check(self) -> None:
        """Check that a host gets its own schema, at first use if the server is unavailable."""
        with suppress(StoreUnavailable), self.pool.transaction():
            pass

    def database(self, organization_id: int, store: str) -> str:
        return host_url(self.url, schema_of(organization_id, store))

    def create(self, organization_id: int, store: str, template: bytes = b"") -> str:
        schema = sql.Identifier(schema_of(organization_id, store))
        with self.write_transaction() as db:
            db.execute(DROP_SCHEMA.format(schema))
            db.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
            db.execute(CREATE_VERSION_TABLE.format(schema))
        return self.database(organization_id, store)

    def exists(self, organization_id: int, store: str) -> bool:
        if not store:
            return False
        table = f"{schema_of(organization_id, store)}.whatsmeow_device"
        try:
            with self.pool.transaction() as db:
                row = db.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
        except psycopg.Error as error:
            raise StoreUnusable(error_message(error)) from error
        return bool(row and row[0])

    def linked_number(self, organization_id: int, store: str) -> str:
        query = "SELECT jid FROM {} LIMIT 1"
        rows = self._read(organization_id, store, "whatsmeow_device", query)
        return number_of(rows[0][0]) if rows else ""

    def linked_lid(self, organization_id: int, store: str) -> str:
        query = "SELECT lid FROM {} LIMIT 1"
        rows = self._read(organization_id, store, "whatsmeow_device", query)
        return number_of(rows[0][0] or "") if rows else ""

    def sent_message_id(self, organization_id: int, store: str, secret: bytes) -> str | None:
        query = "SELECT message_id FROM {} WHERE key = %s"
        rows = self._read(organization_id, store, SECRETS_TABLE, query, secret)
        if rows:
            return str(rows[0][0])
        return "" if self.linked_number(organization_id, store) else None

    def newest_secret(self, organization_id: int, store: str) -> int:
        query = "SELECT coalesce(max(row_number), 0) FROM {}"
        try:
            rows = self._read(organization_id, store, SECRETS_TABLE, query)
        except StoreUnusable as error:
            if not isinstance(error.__cause__, errors.UndefinedColumn):
                raise
            self._number_secrets(organization_id, store)
            rows = self._read(organization_id, store, SECRETS_TABLE, query)
        return int(rows[0][0]) if rows else 0

    def newest_secrets(
        self, stores: Collection[StoreKey]
    ) -> dict[StoreKey, int | StoreDamaged | StoreUnusable]:
        try:
            with self.pool.transaction() as db:
                rows = db.execute(_newest_of_all(stores)).fetchall() if stores else []
        except StoreUnavailable:
            raise
        except psycopg.Error:
            # One of them has no table, for instance: each is asked alone.
            return super().newest_secrets(stores)
        return dict(zip(stores, (int(newest) for (newest,) in rows), strict=True))

    def message_secrets(
        self, organization_id: int, store: str, after: int, upto: int
    ) -> list[MessageSecret]:
        query = (
            "SELECT row_number, chat_jid, sender_jid, message_id, key FROM {}"
            " WHERE row_number > %s AND row_number <= %s ORDER BY row_number LIMIT %s"
        )
        rows = self._read(organization_id, store, SECRETS_TABLE, query, after, upto, SECRETS_LIMIT)
        return [MessageSecret(*row) for row in rows]

    def _number_secrets(self, organization_id: int, store: str) -> None:
        """Add a column to the library's table that numbers its rows in their order.

        SQLite numbers rows by itself. The library names its columns in each statement.
        """
        table = f"{schema_of(organization_id, store)}.{SECRETS_TABLE}"
        query = f"SELECT to_regclass(%s) IS NULL OR {HAS_ROW_NUMBERS}"
        with self.write_transaction() as db:
            row = db.execute(query, (table, table)).fetchone()
            if row and not row[0]:
                identifier = sql.Identifier(*table.split("."))
                db.execute(ADD_ROW_NUMBERS.format(identifier))

    def _read(
        self, organization_id: int, store: str, table: str, query: LiteralString, *values: object
    ) -> list[tuple[Any, ...]]:
        """Return a query's rows; none where the store or the table is missing.

        `query` has `{}` for the table. Raises StoreDamaged, StoreUnusable.
        """
        if not store:
            return []
        name = sql.Identifier(schema_of(organization_id, store), table)
        try:
            with self.pool.transaction() as db:
                return db.execute(sql.SQL(query).format(name), values).fetchall()
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            return []
        except (errors.DataCorrupted, errors.IndexCorrupted) as error:
            raise StoreDamaged(error_message(error)) from error
        except psycopg.Error as error:
            raise StoreUnusable(error_message(error)) from error

    def organizations(self) -> set[int]:
        found = (name.split("_")[1] for name in self._schemas_with_prefix("wa_"))
        return {int(number) for number in found if number.isdecimal()}

    def stores(self, organization_id: int) -> set[str]:
        prefix = prefix_of(organization_id)
        return {
            name.removeprefix(prefix).replace("_", "-")
            for name in self._schemas_with_prefix(prefix)
        }

    def _schemas_with_prefix(self, prefix: str) -> list[str]:
        with self.pool.transaction() as db:
            return [str(name) for (name,) in db.execute(FIND_SCHEMAS, (prefix,))]

    def discard(self, organization_id: int, store: str) -> None:
        with self.write_transaction() as db:
            db.execute(DROP_SCHEMA.format(sql.Identifier(schema_of(organization_id, store))))

    def discard_others(self, organization_id: int, keep: Collection[str]) -> None:
        for store in self.stores(organization_id) - set(keep):
            self.discard(organization_id, store)

    def delete(self, organization_id: int) -> bool:
        """Drop all schemas in one transaction, so that no reader finds half of them."""
        doomed = self._schemas_with_prefix(prefix_of(organization_id))
        with self.write_transaction() as db:
            for schema in doomed:
                db.execute(DROP_SCHEMA.format(sql.Identifier(schema)))
        return bool(doomed)

    @contextmanager
    def write_transaction(self) -> Iterator[psycopg.Connection]:
        """Run a transaction that raises SchemaChangeFailed, an OSError, as folders do.

        Raises StoreUnavailable."""
        try:
            with self.pool.transaction() as db:
                db.execute("SET LOCAL client_min_messages = warning")
                yield db
        except psycopg.Error as error:
            raise SchemaChangeFailed(errno.EIO, error_message(error)) from error


def prefix_of(organization_id: int) -> str:
    """Return how the names of an organization's schemas begin."""
    return f"wa_{int(organization_id)}_"


def schema_of(organization_id: int, store: str) -> str:
    """Return the schema of a store. Raises ValueError for an invalid name of a store."""
    if not STORE_NAME.fullmatch(store):
        raise ValueError(f"invalid literal for a store's name: {store!r}")
    return prefix_of(organization_id) + store.replace("-", "_")


def error_message(error: psycopg.Error) -> str:
    """Return PostgreSQL's error message in one line."""
    message = error.diag.message_primary or type(error).__name__
    return f"PostgreSQL: {message}"


def _newest_of_all(stores: Collection[StoreKey]) -> sql.Composed:
    """Return the query for the newest secret of each store, in their order."""
    newest = sql.SQL("(SELECT coalesce(max(row_number), 0) FROM {})")
    tables = (sql.Identifier(schema_of(*key), SECRETS_TABLE) for key in stores)
    return sql.SQL("SELECT unnest(ARRAY[{}])").format(
        sql.SQL(", ").join(newest.format(table) for table in tables)
    )
