"""What holds for the tests of every app."""

import os
import shutil
from collections.abc import Iterator
from functools import partial

import pytest
from django.conf import settings
from django.db import connection
from django.utils import translation
from pytest_django import DjangoDbBlocker

from whatsapp_orgs.tests.support import isolation

APPS = ("organizations", "connections", "monitoring", "whatsapp_orgs")


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of a run a data folder, and names of its own in a Redis that they share.

    A database of its own pytest-django sees to.
    """
    isolation.watch()
    # Fails if the folder exists, so that only what was created here is removed.
    settings.DATA_DIR.mkdir(mode=0o700)
    config.add_cleanup(partial(shutil.rmtree, settings.DATA_DIR, ignore_errors=True))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and settings.REDIS_URL:
        settings.CACHES["default"]["KEY_PREFIX"] += f".{worker}"
        settings.CHANNEL_LAYERS["default"]["CONFIG"]["prefix"] += f".{worker}"


@pytest.hookimpl(tryfirst=True)  # Before pytest chooses by markers.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests beside an app's code, so that a new file runs on servers too."""
    for item in items:
        app = item.path.relative_to(config.rootpath).parts[0]
        if app in APPS and item.get_closest_marker("sqlite_only") is None:
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="session", autouse=True)
def checkout_data_left_alone() -> Iterator[None]:
    """Fail the run if code under test caught the refusal to use the checkout's data."""
    yield
    assert isolation.refusals == []


@pytest.fixture(autouse=True)
def usual_language() -> None:
    """Begin in English: a request of the test before may have left its language active."""
    translation.deactivate()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """On PostgreSQL no database is dropped that a thread of some test still has open."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
