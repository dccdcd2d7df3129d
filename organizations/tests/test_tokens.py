"""API tokens: shown once, stored as a hash, and refused with 401 whatever is wrong with them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.forms.models import model_to_dict
from django.test import Client
from django.utils import timezone

from organizations.models import ApiToken, Organization
from organizations.tests.users import api_client, token_of


def status(client: Client, organization: Organization) -> int:
    answer = client.get(f"/api/v1/organizations/{organization.pk}/whatsapp/status")
    if answer.status_code == 401:
        assert set(answer.json()) == {"success", "code", "message"}
        assert answer["WWW-Authenticate"] == "Bearer"
    return answer.status_code


def with_header(header: str) -> Client:
    return Client(headers={"Authorization": header})


def test_a_token_opens_the_api(alice: User, organization: Organization) -> None:
    assert status(api_client(alice), organization) == 200


def test_only_its_hash_and_its_first_characters_are_stored(alice: User) -> None:
    token = token_of(alice)
    assert token.startswith("wao_")
    stored = ApiToken.objects.get()
    assert token not in str(model_to_dict(stored)) + str(vars(stored))
    assert token.startswith(stored.token_key)
    assert len(stored.token_key) < len(token) / 2
    assert str(stored) == f"a test ({stored.token_key}…)"
    assert stored.expiry is None


def test_the_hash_is_no_token(alice: User, organization: Organization) -> None:
    token_of(alice)
    stored = ApiToken.objects.get()
    assert status(with_header(f"Bearer {stored.digest}"), organization) == 401
    assert status(with_header(f"Bearer {stored.token_key}"), organization) == 401


def test_a_deactivated_user_is_refused(alice: User, organization: Organization) -> None:
    client = api_client(alice)
    alice.is_active = False
    alice.save()
    assert status(client, organization) == 401


def test_a_token_that_was_taken_back_or_has_expired_is_refused(
    alice: User, organization: Organization
) -> None:
    client = api_client(alice)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert status(client, organization) == 401
    client = api_client(alice)
    ApiToken.objects.all().delete()
    assert status(client, organization) == 401


def test_a_token_is_its_users_own(bob: User, charlie: User, organization: Organization) -> None:
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
def test_anything_else_is_refused(organization: Organization, header: str) -> None:
    assert status(with_header(header), organization) == 401


def test_one_wrong_character_is_refused(alice: User, organization: Organization) -> None:
    token = token_of(alice)
    last = "0" if token[-1] != "0" else "1"
    assert status(with_header(f"Bearer {token[:-1]}{last}"), organization) == 401
    assert status(with_header(f"bearer {token}"), organization) == 200
