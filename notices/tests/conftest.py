"""The people of the tests, an organization that is linked, and a mail server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from notices.tests.support.servers import MailServer, mail_server
from organizations.models import Organization
from organizations.tests.support.users import (
    alice,
    bob,
    charlie,
    clear_cache,
    organization,
    other_organization,
)

__all__ = ["alice", "bob", "charlie", "clear_cache", "organization", "other_organization"]


@pytest.fixture(autouse=True)
def auth_sessions_dir(tmp_path: Path, settings: Settings) -> None:
    """No test touches the credentials of a running product."""
    settings.AUTH_SESSIONS = "folders"
    settings.AUTH_SESSIONS_DIR = tmp_path / "auth_sessions"


@pytest.fixture(autouse=True)
def site_url(settings: Settings) -> None:
    settings.SITE_URL = "https://orgs.example.com"
    settings.EMAIL_URL = "smtp://localhost"


@pytest.fixture
def hand(db: None) -> FakeWorker:
    """A living worker that does what the test says."""
    return FakeWorker()


@pytest.fixture
def connection(organization: Organization) -> Connection:
    return Connection.objects.of(organization)


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server
