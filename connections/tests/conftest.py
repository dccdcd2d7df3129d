"""The people of the tests, the connection they talk about, and a worker led by hand."""

from pathlib import Path

import pytest
from pytest_django import Settings

from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from organizations.models import Organization
from organizations.tests.support.users import (
    alice,
    bob,
    charlie,
    clear_cache,
    organization,
    other_organization,
)

__all__ = [
    "alice",
    "bob",
    "charlie",
    "clear_cache",
    "organization",
    "other_organization",
]


@pytest.fixture(autouse=True)
def auth_sessions_dir(tmp_path: Path, settings: Settings) -> Path:
    """No test touches the credentials of a running product."""
    settings.AUTH_SESSIONS = "folders"
    settings.AUTH_SESSIONS_DIR = tmp_path / "auth_sessions"
    return tmp_path / "auth_sessions"


@pytest.fixture
def connection(organization: Organization) -> Connection:
    return Connection.objects.of(organization)


@pytest.fixture
def hand(db: None) -> FakeWorker:
    """A living worker that does what the test says."""
    return FakeWorker()
