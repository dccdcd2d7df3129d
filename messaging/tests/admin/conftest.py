"""The users of the tests: Olga is an owner, Alice an operator, Bob a viewer, Charlie outside."""

import pytest
from django.contrib.auth.models import User

from organizations.models import Membership, Organization
from organizations.tests.support.users import (
    alice,
    bob,
    charlie,
    clear_cache,
    member,
    organization,
    other_organization,
)

__all__ = ["alice", "bob", "charlie", "clear_cache", "organization", "other_organization"]


@pytest.fixture
def olga(organization: Organization) -> User:
    return member("olga", organization, Membership.Role.OWNER)


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create(username="root", is_staff=True, is_superuser=True)
