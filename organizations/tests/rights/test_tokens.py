"""API tokens: stored as a hash; invalid ones get 401."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.forms.models import model_to_dict
from django.test import Client
from django.utils import timezone

from organizations.models import ApiToken, Organization
from organizations.tests.support.users import api_client, token_of


def status(client: Client, organization: Organization) -> int:
    response = client.get(f"/api/v1/organizations/{organization.pk}/whatsapp/status")
    if response.status_code == 401:
        assert set(response.json()) == {"success", "code", "message"}
        assert response["WWW-Authenticate"] == "Bearer"
    return response.status_code


def with_header(header: str) -> Client:
    return Client(headers={"Authorization": header})


def test_token_authenticates_api_requests(alice: User, organization: Organization) -> None:
    assert status(api_client(alice), organization) == 200


def test_only_hash_and_prefix_of_a_token_are_stored(alice: User) -> None:
    token = token_of(alice)
    assert token.startswith("wao_")
    stored = ApiToken.objects.get()
    assert token not in str(model_to_dict(stored)) + str(vars(stored))
    assert token.startswith(stored.token_key)
    assert len(stored.token_key) < len(token) / 2
    assert str(stored) == f"a test ({stored.token_key}…)"
    assert stored.expiry is None


def test_hash_is_not_accepted_as_a_token(alice: User, organization: Organization) -> None:
    token_of(alice)
    stored = ApiToken.objects.get()
    assert status(with_header(f"Bearer {stored.digest}"), organization) == 401
    assert status(with_header(f"Bearer {stored.token_key}"), organization) == 401


def test_token_of_a_deactivated_user_gets_401(alice: User, organization: Organization) -> None:
    client = api_client(alice)
    alice.is_active = False
    alice.save()
    assert status(client, organization) == 401


def test_revoked_or_expired_token_gets_401(alice: User, organization: Organization) -> None:
    client = api_client(alice)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert status(client, organization) == 401
    client = api_client(alice)
    ApiToken.objects.all().delete()
    assert status(client, organization) == 401


def test_token_has_the_rights_of_its_user_only(
    bob: User, charlie: User, organization: Organization
) -> None:
    assert status(api_client(bob), organization) == 200
    assert status(api_client(charlie), organization) == 404


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wao_wrong",
        "Bearer ü",
        "Bearer wao_\u00ff\u00fe",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer \x00",
        "Token wao_wrong",
        "wao_wrong",
        "",
    ],
)
def test_malformed_authorization_header_gets_401(organization: Organization, header: str) -> None:
    assert status(with_header(header), organization) == 401


def test_token_with_one_wrong_character_gets_401(alice: User, organization: Organization) -> None:
    token = token_of(alice)
    last = "0" if token[-1] != "0" else "1"
    assert status(with_header(f"Bearer {token[:-1]}{last}"), organization) == 401
    assert status(with_header(f"bearer {token}"), organization) == 200
