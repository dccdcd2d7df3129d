"""Configuration for the tests of all apps."""

import gc
import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection
from django.db.models.signals import post_migrate
from django.utils import translation
from pytest_django import DjangoDbBlocker

from tests.support import migrated_database
from tests.support.application import TestDatabase
from whatsapp_orgs import garbage_collection
from whatsapp_orgs.tests.support import isolation

# The rows of these are the same for all tests.
KEPT_TABLES = {"django_content_type", "auth_permission"}

# Here, because most modules are still to come.
garbage_collection.postpone()

APPS = (
    *("organizations", "events", "connections", "messaging", "webhooks", "notices"),
    *("removal", "cloud_api", "monitoring", "whatsapp_orgs"),
)


def pytest_configure(config: pytest.Config) -> None:
    """Give each test process a data folder, and a prefix in a shared Redis.

    pytest-django gives it a database.
    """
    isolation.watch()
    # Fails if the folder exists, so that the cleanup removes only our own folder.
    settings.DATA_DIR.mkdir(mode=0o700)
    config.add_cleanup(partial(shutil.rmtree, settings.DATA_DIR, ignore_errors=True))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and settings.REDIS_URL:
        settings.CACHES["default"]["KEY_PREFIX"] += f".{worker}"
        settings.CHANNEL_LAYERS["default"]["CONFIG"]["prefix"] += f".{worker}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out modules without a test for servers: each process would import them for nothing."""
    if config.option.markexpr != "servers" or collection_path.suffix != ".py":
        return None
    app = collection_path.relative_to(config.rootpath).parts[0]
    text = collection_path.read_text()
    runs = "pytestmark = pytest.mark.sqlite_only" not in text if app in APPS else "servers" in text
    return None if runs else True


@pytest.hookimpl(wrapper=True, tryfirst=True)  # Before pytest chooses by markers.
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Mark the tests of apps as `servers`, so that new files run on servers, too.

    A module without a test that uses the database does not: its outcome would be the same.

    Files keep the order of pytest.ini, tests in them the order of pytest-django, which would start
    with all tests of the database, and leave the slow ones of running products to the end.
    """
    stored = {item.path for item in items if _uses_database(item)}
    for item in items:
        app = item.path.relative_to(config.rootpath).parts[0]
        if app in APPS and item.path in stored and item.get_closest_marker("sqlite_only") is None:
            item.add_marker(pytest.mark.servers)
    paths = dict.fromkeys(item.path for item in items)
    places = {path: place for place, path in enumerate(paths)}
    yield
    items.sort(key=lambda item: places[item.path])


def _uses_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures) or item.get_closest_marker("django_db") is not None


def pytest_collection_finish() -> None:
    """Let no collection look at the modules and tests again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def checkout_data_unused() -> Iterator[None]:
    """Fail the run if code under test caught the refusal to use the checkout's data."""
    yield
    assert isolation.refusals == []


@pytest.fixture(autouse=True)
def default_language() -> None:
    """Start in English: a request of the previous test may have activated a language."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def past_changes_unknown() -> None:
    """Forget what a process remembers of the history: the next test's rows have the same keys."""
    from connections.history.chart import past_changes

    past_changes.cache_clear()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Keep the file that is copied below: Django would remove it first."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Start from a copy of a migrated database: the migrations take seconds in each process."""
    options = connection.settings_dict["TEST"]
    # The tables are there.
    options["MIGRATE"] = False
    if connection.vendor == "postgresql":
        options["TEMPLATE"] = TestDatabase(os.environ["DATABASE_URL"], "").template()
    else:
        shutil.copyfile(migrated_database.sqlite_file(), options["NAME"])


def delete_rows(style: object, tables: Iterable[str], **options: object) -> list[str]:
    """Return the statements that empty tables; a TRUNCATE of them all makes new files."""
    names = [connection.ops.quote_name(table) for table in tables if table not in KEPT_TABLES]
    deletes = [f"DELETE FROM {name};" for name in names]
    if connection.vendor == "postgresql":
        # Without the checks of foreign keys: the order is any.
        deletes.insert(0, "SET LOCAL session_replication_role = replica;")
    return deletes


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Close leftover connections of test threads, so that PostgreSQL can drop the database."""
    # Flushing them, too, would fill them again after each test with transactions of its own.
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    with patch.object(connection.ops, "sql_flush", delete_rows):
        yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
