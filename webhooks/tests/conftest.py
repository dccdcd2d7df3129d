"""The users of the tests, and receivers on loopback that may be sent to."""

import pytest
from pytest_django import Settings

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
def private_addresses(settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = True
