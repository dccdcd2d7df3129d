"""Tokens over the REST API: organizations' tokens for owners, and personal tokens."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from organizations.models import ApiToken, AuditEntry, Organization
from organizations.tests.support.api import OWNERS_ONLY, UNKNOWN, Api, error, olivia, root
from organizations.tokens import find_token

__all__ = ["olivia", "root"]

TOKEN_OWNERS_ONLY = (
    403,
    "permission_denied",
    "Only a user, or a token of theirs that may manage, may do this.",
)
NO_TOKEN = (404, "not_found", "There is no such token.")
OWN = "/tokens"


@pytest.fixture
def path(organization: Organization) -> str:
    return f"/organizations/{organization.pk}/tokens"


@pytest.fixture
def api(olivia: User) -> Api:
    return Api(olivia)


def test_token_text_is_returned_once(api: Api, path: str, organization: Organization) -> None:
    response = api("post", path, {"name": "billing", "expiresAt": "2030-01-01T00:00:00Z"})
    assert response.status_code == 201
    created = response.json()
    token = find_token(created["token"])
    assert token is not None
    assert (token.organization, token.scope) == (organization, "read")
    assert created == {
        "id": str(token.number),
        "name": "billing",
        "prefix": created["token"][:15],
        "kind": "rest",
        "scope": "read",
        "messageScopes": [],
        "createdAt": token.created.isoformat().replace("+00:00", "Z"),
        "expiresAt": "2030-01-01T00:00:00Z",
        "lastUsedAt": None,
        "revokedAt": None,
        "createdBy": "olivia",
        "token": created["token"],
    }
    del created["token"]
    listed = api("get", path)
    assert listed.json()["results"] == [created]
    assert token.digest not in listed.content.decode()


def test_personal_tokens_are_not_in_the_organizations_list(api: Api, path: str, root: User) -> None:
    api("post", path, {"name": "theirs"})
    api("post", OWN, {"name": "mine", "scope": "manage"})
    Api(root)
    assert [row["name"] for row in api("get", path).json()["results"]] == ["theirs"]
    assert [row["name"] for row in api("get", OWN).json()["results"]] == ["mine", "a test"]
    theirs = ApiToken.objects.get(name="theirs").number
    assert error(api("delete", f"{OWN}/{theirs}")) == NO_TOKEN
    mine = ApiToken.objects.get(name="mine").number
    assert error(api("delete", f"{path}/{mine}")) == NO_TOKEN


def test_personal_token_has_the_rights_of_its_user(api: Api, organization: Organization) -> None:
    text = api("post", OWN, {"name": "mine", "scope": "manage"}).json()["token"]
    api.client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {text}"
    assert api("get", f"/organizations/{organization.pk}").json()["role"] == "owner"


@pytest.mark.parametrize("kind", ["own", "organization"])
def test_revoking_twice_gets_204(api: Api, path: str, kind: str) -> None:
    url = OWN if kind == "own" else path
    created = api("post", url, {"name": "short-lived"}).json()
    for _ in range(2):
        response = api("delete", f"{url}/{created['id']}")
        assert (response.status_code, response.content) == (204, b"")
    assert find_token(created["token"]) is None
    row = next(row for row in api("get", url).json()["results"] if row["id"] == created["id"])
    assert row["revokedAt"] is not None
    assert AuditEntry.objects.filter(action="token_revoked").count() == 1


def test_token_can_revoke_itself(api: Api) -> None:
    assert api("delete", f"{OWN}/{api.token.number}").status_code == 204
    assert error(api("get", OWN))[:2] == (401, "authentication_failed")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"name": "a\0"}, "name"),
        ({"name": "x", "scope": "root"}, "scope"),
        ({"name": "x", "scope": None}, "scope"),
        ({"name": "x", "messageScopes": "messages:send"}, "messageScopes"),
        ({"name": "x", "messageScopes": ["manage"]}, "messageScopes"),
        ({"name": "x", "messageScopes": None}, "messageScopes"),
        ({"name": "x", "expiresAt": "tomorrow"}, "expiresAt"),
        ({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": "x", "expiresAt": "9999-12-31T23:59:59Z"}, "expiresAt"),
        ({"name": "x", "expiresAt": "9999-12-31T23:59:59-23:00"}, "expiresAt"),
        ({"name": "x", "expiresAt": "0001-01-01T00:00:00+23:00"}, "expiresAt"),
        ({"name": "x", "expiresAt": 7}, "expiresAt"),
    ],
)
def test_invalid_field_is_named_in_the_message(
    api: Api, path: str, body: dict[str, Any], named: str
) -> None:
    for url in (path, OWN):
        status, code, message = error(api("post", url, body))
        assert (status, code) == (400, "invalid")
        assert message.startswith((f"{named}: ", f"{named}.0: "))
    assert ApiToken.objects.count() == 1


def test_token_expires_at_the_given_time(api: Api) -> None:
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    created = api("post", OWN, {"name": "x", "expiresAt": soon}).json()
    assert find_token(created["token"]) is not None
    ApiToken.objects.filter(name="x").update(expiry=timezone.now())
    assert find_token(created["token"]) is None


def test_token_ends_after_90_days_unless_null_says_never(api: Api, path: str) -> None:
    for url in (path, OWN):
        created = api("post", url, {"name": "x"}).json()
        assert (created["scope"], created["messageScopes"]) == ("read", [])
        left = datetime.fromisoformat(created["expiresAt"]) - timezone.now()
        assert timedelta(days=89, hours=23) < left < timedelta(days=90)
        assert api("post", url, {"name": "x", "expiresAt": None}).json()["expiresAt"] is None


def test_token_cannot_create_one_that_expires_later(api: Api, path: str) -> None:
    end = (timezone.now() + timedelta(hours=1)).replace(microsecond=0)
    ApiToken.objects.filter(pk=api.token.pk).update(expiry=end)
    later = (end + timedelta(seconds=1)).isoformat()
    for url in (path, OWN):
        for body in (
            {"name": "x", "expiresAt": None},
            {"name": "x", "expiresAt": later},
        ):
            refused = error(api("post", url, body))
            assert refused == (400, "invalid", "expiresAt: A token makes none that outlives it.")
        assert api("post", url, {"name": "x", "expiresAt": end.isoformat()}).status_code == 201
        # One whose end is not named ends with it.
        assert api("post", url, {"name": "x"}).json()["expiresAt"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"


def test_token_gives_only_message_scopes_that_it_has(api: Api, path: str) -> None:
    body = {"name": "x", "messageScopes": ["messages:read", "messages:send"]}
    for url in (path, OWN):
        refused = error(api("post", url, body))
        assert refused[:2] == (403, "permission_denied") and "do not have yourself" in refused[2]
    ApiToken.objects.filter(pk=api.token.pk).update(sends_messages=True, reads_messages=True)
    for url in (path, OWN):
        created = api("post", url, body).json()
        assert created["messageScopes"] == ["messages:send", "messages:read"]
        assert api("get", url).json()["results"][0]["messageScopes"] == created["messageScopes"]


def test_null_expiry_creates_a_token_without_expiry(api: Api) -> None:
    assert api("post", OWN, {"name": "x", "expiresAt": None}).json()["expiresAt"] is None


CALLS: list[tuple[str, bool, dict[str, str] | None]] = [
    ("get", False, None),
    ("post", False, {"name": "x"}),
    ("delete", True, None),
]


@pytest.mark.parametrize(("method", "one", "body"), CALLS)
def test_only_owners_and_personal_token_holders_have_access(
    path: str,
    alice: User,
    bob: User,
    charlie: User,
    olivia: User,
    organization: Organization,
    method: str,
    one: bool,
    body: dict[str, str] | None,
) -> None:
    own = Api(olivia, "manage", organization)
    rest = f"/{own.token.number}" if one else ""
    readers = (Api(olivia, "read"), own)
    for api in (Api(alice), Api(bob), *readers):
        assert error(api(method, path + rest, body)) == OWNERS_ONLY
    assert error(Api(charlie)(method, path + rest, body)) == UNKNOWN
    for api in readers:
        assert error(api(method, OWN + rest, body)) == TOKEN_OWNERS_ONLY
    assert not ApiToken.objects.exclude(revoked_at=None).exists()


def test_revoking_a_foreign_token_gets_404(alice: User, olivia: User) -> None:
    hers = Api(olivia).token
    assert error(Api(alice)("delete", f"{OWN}/{hers.number}")) == NO_TOKEN
    assert error(Api(alice)("delete", f"{OWN}/not-a-uuid"))[:2] == (404, "not_found")
