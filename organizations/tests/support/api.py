"""Helpers for tests of the REST API: an owner, a superuser, and a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from organizations.access import Actor
from organizations.actions import create_token
from organizations.models import ApiToken, Membership, Organization
from organizations.tests.support.users import member

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

API = "/api/v1"


@pytest.fixture
def olivia(organization: Organization) -> User:
    """Return an owner of the organization."""
    return member("olivia", organization, Membership.Role.OWNER)


@pytest.fixture
def root(db: None) -> User:
    """Return a superuser."""
    return User.objects.create(username="root", is_staff=True, is_superuser=True)


class Api:
    """A client of the REST API with one token."""

    def __init__(
        self, user: User, scope: str = "manage", organization: Organization | None = None
    ) -> None:
        maker = Actor("the tests")
        self.token, self.text = create_token(
            user, "a test", maker, scope=ApiToken.Scope(scope), organization=organization
        )
        self.client = Client(headers={"Authorization": f"Bearer {self.text}"})

    def __call__(self, method: str, path: str, body: Any = None) -> Response:
        """Send a request, check what all responses have in common, and return the response."""
        if body is None:
            response: Response = getattr(self.client, method)(API + path)
        else:
            call = getattr(self.client, method)
            response = call(API + path, body, content_type="application/json")
        assert response["Cache-Control"] == "no-store"
        if response.status_code >= 400:
            assert set(response.json()) == {"success", "code", "message"}
        return response


def error(response: Response) -> tuple[int, str, str]:
    """Return status, code and message of an error."""
    actual = response.json()
    return response.status_code, actual["code"], actual["message"]


OWNERS_ONLY = (403, "permission_denied", "Only an owner of this organization may do this.")
SUPERUSERS_ONLY = (403, "permission_denied", "Only an administrator of the service may do this.")
UNKNOWN = (404, "not_found", "Organization not found.")
