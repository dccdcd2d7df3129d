"""Stores as schemas of a PostgreSQL, for workers on several machines.

One schema for each store, `wa_<organization>_<store>`, rather than one for each organization: a
pairing must start on nothing while the linked store is still in use, and nothing is ever renamed
under a client. What belongs to an organization is found, and dropped in one transaction, by the
beginning of the name.

whatsmeow asks whether its table of versions exists without saying in which schema. From the second
store on, it would find another store's, and not make its own: so a fresh store has an empty one.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import errors, sql

from connections.stores.base import StorePlace
from connections.stores.errors import Away, Damaged, Unusable
from connections.stores.jids import digits
from connections.stores.postgres import Connections, host_url

STORE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NAMES = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)"
VERSIONS = sql.SQL("CREATE TABLE {}.whatsmeow_version (version INTEGER, compat INTEGER)")
DROP = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE")


class StoreError(OSError):
    """PostgreSQL refused to make or to drop a store; `strerror` has its words."""


class SchemaPlace(StorePlace):
    """The stores in one PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections = Connections(url)

    def close(self) -> None:
        """Close the idle connections."""
        self.connections.close()

    def check(self) -> None:
        """Check that a host gets its own schema; a server that is away, at its first use."""
        with suppress(Away), self.connections.transaction():
            pass

    def database(self, organization_id: int, store: str) -> str:
        return host_url(self.url, schema_of(organization_id, store))

    def create(self, organization_id: int, store: str, template: bytes = b"") -> str:
        schema = sql.Identifier(schema_of(organization_id, store))
        with self.changing() as db:
            db.execute(DROP.format(schema))
            db.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
            db.execute(VERSIONS.format(schema))
        return self.database(organization_id, store)

    def exists(self, organization_id: int, store: str) -> bool:
        if not store:
            return False
        table = f"{schema_of(organization_id, store)}.whatsmeow_device"
        try:
            with self.connections.transaction() as db:
                row = db.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
        except psycopg.Error as error:
            raise Unusable(words(error)) from error
        return bool(row and row[0])

    def linked_number(self, organization_id: int, store: str) -> str:
        if not store:
            return ""
        device = sql.Identifier(schema_of(organization_id, store), "whatsmeow_device")
        try:
            with self.connections.transaction() as db:
                query = sql.SQL("SELECT jid FROM {} LIMIT 1").format(device)
                row = db.execute(query).fetchone()
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            return ""
        except (errors.DataCorrupted, errors.IndexCorrupted) as error:
            raise Damaged(words(error)) from error
        except psycopg.Error as error:
            raise Unusable(words(error)) from error
        return digits(row[0]) if row else ""

    def organizations(self) -> set[int]:
        found = (name.split("_")[1] for name in self._named("wa_"))
        return {int(number) for number in found if number.isdecimal()}

    def stores(self, organization_id: int) -> set[str]:
        prefix = prefix_of(organization_id)
        return {name.removeprefix(prefix).replace("_", "-") for name in self._named(prefix)}

    def _named(self, prefix: str) -> list[str]:
        with self.connections.transaction() as db:
            return [str(name) for (name,) in db.execute(NAMES, (prefix,))]

    def discard(self, organization_id: int, store: str) -> None:
        with self.changing() as db:
            db.execute(DROP.format(sql.Identifier(schema_of(organization_id, store))))

    def discard_others(self, organization_id: int, keep: Collection[str]) -> None:
        for store in self.stores(organization_id) - set(keep):
            self.discard(organization_id, store)

    def delete(self, organization_id: int) -> bool:
        """In one transaction, so no reader ever finds half of them."""
        doomed = self._named(prefix_of(organization_id))
        with self.changing() as db:
            for schema in doomed:
                db.execute(DROP.format(sql.Identifier(schema)))
        return bool(doomed)

    @contextmanager
    def changing(self) -> Iterator[psycopg.Connection]:
        """Run a transaction whose failure is an OSError, as that of a folder. Raises Away."""
        try:
            with self.connections.transaction() as db:
                db.execute("SET LOCAL client_min_messages = warning")
                yield db
        except psycopg.Error as error:
            raise StoreError(errno.EIO, words(error)) from error


def prefix_of(organization_id: int) -> str:
    """Return how the names of an organization's schemas begin."""
    return f"wa_{int(organization_id)}_"


def schema_of(organization_id: int, store: str) -> str:
    """Return the schema of a store. Raises ValueError for an invalid name of a store."""
    if not STORE.fullmatch(store):
        raise ValueError(f"invalid literal for a store's name: {store!r}")
    return prefix_of(organization_id) + store.replace("-", "_")


def words(error: psycopg.Error) -> str:
    """Return PostgreSQL's error message in one line."""
    said = error.diag.message_primary or type(error).__name__
    return f"PostgreSQL: {said}"
