"""What holds for the tests of every app."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker


def pytest_configure() -> None:
    """The processes of one run share a Redis: each has names of its own there.

    A database of its own pytest-django sees to.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and settings.REDIS_URL:
        settings.CACHES["default"]["KEY_PREFIX"] += f".{worker}"
        settings.CHANNEL_LAYERS["default"]["CONFIG"]["prefix"] += f".{worker}"


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
