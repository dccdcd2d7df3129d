"""Fixtures for tests that run against both store backends, folders and PostgreSQL."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytest_django import Settings

from connections.stores import store_backend
from tests.support.services import Postgres

DEVICE = "CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY, lid TEXT)"
SHOW_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'wa%'"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of a process; each test creates its own database on it."""
    with Postgres() as running:
        yield running


class Stores:
    """Reads and writes stores directly, as whatsmeow does, without the product's code."""

    name = ""

    def link(
        self, organization: int, store: str, jid: str = "5511987654321:3@s.whatsapp.net"
    ) -> None:
        """Create a store with a linked device in it."""
        store_backend().create(organization, store)
        self.write(organization, store, DEVICE)
        self.write(organization, store, f"INSERT INTO whatsmeow_device VALUES ('{jid}', '1:3@lid')")

    def write(self, organization: int, store: str, statement: str) -> None:
        """Execute a statement in a store."""
        raise NotImplementedError

    def content(self) -> set[tuple[int, str]]:
        """Return all stores, as (organization, store)."""
        raise NotImplementedError


class FolderStores(Stores):
    name = "folders"

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, organization: int, store: str, statement: str) -> None:
        with (
            closing(sqlite3.connect(store_backend().database(organization, store))) as db,
            db,
        ):
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(statement)

    def content(self) -> set[tuple[int, str]]:
        return {(int(path.parent.name), path.name) for path in self.root.glob("*/*")}


class DatabaseStores(Stores):
    name = "database"

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.database = f"stores_{uuid.uuid4().hex}"
        self.url = server.new_database(self.database)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement on the server."""
        return self.server.sql(statement, self.database)

    def write(self, organization: int, store: str, statement: str) -> None:
        schema = f"wa_{organization}_{store.replace('-', '_')}"
        self.sql(statement.replace("whatsmeow_", f"{schema}.whatsmeow_", 1))

    def content(self) -> set[tuple[int, str]]:
        found = [str(name).split("_", 2) for (name,) in self.sql(SHOW_SCHEMAS)]
        return {(int(number), store.replace("_", "-")) for _, number, store in found}


@pytest.fixture
def folders(auth_sessions_dir: Path, settings: Settings) -> FolderStores:
    """Credentials in folders."""
    settings.AUTH_SESSIONS = "folders"
    return FolderStores(auth_sessions_dir)


@pytest.fixture
def database(postgres: Postgres, settings: Settings) -> Iterator[DatabaseStores]:
    """Credentials in a PostgreSQL database that only this test has."""
    found = DatabaseStores(postgres)
    settings.AUTH_SESSIONS, settings.AUTH_SESSIONS_URL = "database", found.url
    yield found
    store_backend().close()
    postgres.sql(f"DROP DATABASE {found.database} WITH (FORCE)")


@pytest.fixture(params=["folders", "database"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Stores in folders, then in PostgreSQL."""
    found: Stores = request.getfixturevalue(request.param)
    return found
