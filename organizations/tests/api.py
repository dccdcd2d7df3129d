"""What the tests of the REST API share: the owner, a superuser, and calls with a body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from organizations.actions import create_token
from organizations.actors import Actor
from organizations.models import ApiToken, Membership, Organization
from organizations.tests.users import member

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

API = "/api/v1"


@pytest.fixture
def olivia(organization: Organization) -> User:
    """She owns the organization."""
    return member("olivia", organization, Membership.Role.OWNER)


@pytest.fixture
def root(db: None) -> User:
    """A superuser."""
    return User.objects.create(username="root", is_staff=True, is_superuser=True)


class Api:
    """The REST API with one token."""

    def __init__(
        self, user: User, scope: str = "manage", organization: Organization | None = None
    ) -> None:
        maker = Actor("the tests")
        self.token, self.text = create_token(
            user, "a test", maker, scope=ApiToken.Scope(scope), organization=organization
        )
        self.client = Client(headers={"Authorization": f"Bearer {self.text}"})

    def __call__(self, method: str, path: str, body: Any = None) -> Answer:
        """One call; the answer is checked for what every answer has."""
        if body is None:
            answer: Answer = getattr(self.client, method)(API + path)
        else:
            call = getattr(self.client, method)
            answer = call(API + path, body, content_type="application/json")
        assert answer["Cache-Control"] == "no-store"
        if answer.status_code >= 400:
            assert set(answer.json()) == {"success", "code", "message"}
        return answer


def error(answer: Answer) -> tuple[int, str, str]:
    """Status, code and message."""
    told = answer.json()
    return answer.status_code, told["code"], told["message"]


OWNERS_ONLY = (403, "permission_denied", "Only an owner of this organization may do this.")
SUPERUSERS_ONLY = (403, "permission_denied", "Only an administrator of the service may do this.")
UNKNOWN = (404, "not_found", "Organization not found.")
