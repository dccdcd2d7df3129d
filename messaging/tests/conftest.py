"""The users and organizations of the tests."""

from organizations.tests.support.users import (
    alice,
    bob,
    charlie,
    clear_cache,
    organization,
    other_organization,
)

__all__ = ["alice", "bob", "charlie", "clear_cache", "organization", "other_organization"]
