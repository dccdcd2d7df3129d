"""The users of the tests: Alice is an operator, Bob a viewer, Charlie an outsider.

An app's conftest.py imports these fixtures, and so its tests have them.
"""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from organizations.access import Actor
from organizations.actions import create_token
from organizations.models import Membership, Organization

__all__ = ["alice", "bob", "charlie", "clear_cache", "organization", "other_organization"]


@pytest.fixture(autouse=True)
def clear_cache() -> None:
    """Clear the cache, so that wrong tokens of another test do not count."""
    cache.clear()


@pytest.fixture
def organization(db: None) -> Organization:
    """Return the organization of Alice and Bob."""
    return Organization.objects.create(name="Acme")


@pytest.fixture
def other_organization(db: None) -> Organization:
    """Return the organization of Charlie."""
    return Organization.objects.create(name="Globex")


@pytest.fixture
def alice(organization: Organization) -> User:
    return member("alice", organization, Membership.Role.OPERATOR)


@pytest.fixture
def bob(organization: Organization) -> User:
    return member("bob", organization, Membership.Role.VIEWER)


@pytest.fixture
def charlie(other_organization: Organization) -> User:
    return member("charlie", other_organization, Membership.Role.OWNER)


def member(name: str, organization: Organization, role: Membership.Role) -> User:
    """Create a staff user with this role in this organization."""
    user = User.objects.create(username=name, is_staff=True)
    Membership.objects.create(user=user, organization=organization, role=role)
    return user


def token_of(user: User) -> str:
    """Create a personal token of this user and return its text."""
    return create_token(user, "a test", Actor("the tests"))[1]


def api_client(user: User) -> Client:
    """Return a client of the REST API with a personal token of this user."""
    return Client(headers={"Authorization": f"Bearer {token_of(user)}"})
