"""The people of the tests."""

from organizations.tests.users import (
    alice,
    bob,
    charlie,
    nothing_counted,
    organization,
    other_organization,
)

__all__ = ["alice", "bob", "charlie", "nothing_counted", "organization", "other_organization"]
