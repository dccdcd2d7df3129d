"""The users of the tests, and an organization with rows of every kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from messaging import media_files
from organizations.models import Organization
from organizations.tests.support.users import (
    alice,
    bob,
    charlie,
    clear_cache,
    organization,
    other_organization,
)
from removal.tests.support import fill, stored_files

__all__ = ["alice", "bob", "charlie", "clear_cache", "organization", "other_organization"]


@pytest.fixture(autouse=True)
def no_files() -> Iterator[None]:
    """Leave no stored file behind."""
    yield
    for name in stored_files():
        media_files.delete(name)


@pytest.fixture
def filled(organization: Organization) -> Organization:
    """Return an organization that is linked and has something of all that is stored."""
    fill(organization)
    return organization
