"""The users of the tests: Olga is an owner, Alice an operator, Bob a viewer, Charlie outside."""

import pytest
from django.contrib.auth.models import User

from organizations.models import Membership, Organization
from organizations.tests.support.users import member
from webhooks.models import Delivery, Endpoint
from webhooks.tests.support.events import append, make_endpoint
from webhooks.tests.support.past import URL, deliver


@pytest.fixture
def olga(organization: Organization) -> User:
    return member("olga", organization, Membership.Role.OWNER)


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create(username="root", is_staff=True, is_superuser=True)


@pytest.fixture
def endpoint(organization: Organization) -> Endpoint:
    return make_endpoint(organization, URL)


@pytest.fixture
def delivery(endpoint: Endpoint) -> Delivery:
    """A delivery that the receiver took."""
    assert endpoint.organization is not None
    append(endpoint.organization)
    return deliver(endpoint, 1, answer="The receiver says thanks")
