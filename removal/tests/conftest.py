"""The users of the tests, and an organization with rows of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from organizations.models import Organization
from organizations.tests.support.users import (
    alice,
    bob,
    charlie,
    clear_cache,
    organization,
    other_organization,
)
from removal.tests.support import fill

__all__ = ["alice", "bob", "charlie", "clear_cache", "organization", "other_organization"]


@pytest.fixture(autouse=True)
def media_dir(tmp_path: Path, settings: Settings) -> None:
    """Store files in a folder of the test, which has no others."""
    options = settings.STORAGES["media"]["OPTIONS"] | {"location": tmp_path / "media"}
    media = settings.STORAGES["media"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"media": media}


@pytest.fixture
def filled(organization: Organization) -> Organization:
    """Return an organization that is linked and has something of all that is stored."""
    fill(organization)
    return organization
