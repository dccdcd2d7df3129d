"""Invitations over the REST API: owners invite without learning which users exist."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from organizations import invitations
from organizations.models import AuditEntry, Invitation, Membership, Organization
from organizations.tests.support.api import OWNERS_ONLY, UNKNOWN, Api, error, olivia

__all__ = ["olivia"]

NO_INVITATION = (404, "not_found", "There is no such invitation.")
TOKEN_OWNERS_ONLY = (
    403,
    "permission_denied",
    "Only a user, or a token of theirs that may manage, may do this.",
)
MOMENT = r"\d{4}-\d\d-\d\dT[\d:.]+Z"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def path(organization: Organization) -> str:
    return f"/organizations/{organization.pk}"


@pytest.fixture
def api(olivia: User) -> Api:
    return Api(olivia)


@pytest.fixture
def erin(db: None) -> User:
    """Return a user without memberships."""
    return User.objects.create(username="erin")


@pytest.fixture
def idle(db: None) -> User:
    return User.objects.create(username="idle", is_active=False)


def invite(api: Api, path: str, username: str = "erin", role: str = "operator") -> Any:
    return api("post", f"{path}/members", {"username": username, "role": role})


def without_what_varies(text: str, username: str) -> str:
    for pattern, word in ((MOMENT, "TIME"), (UUID, "ID"), (rf"\b{username}\b", "NAME")):
        text = re.sub(pattern, word, text)
    return text


# --- Owners ---------------------------------------------------------------------------------------


def test_owner_gets_the_same_answer_for_known_unknown_and_inactive(
    api: Api, path: str, erin: User, idle: User
) -> None:
    actual = {}
    # The first request marks the token as used, which adds a query.
    api("get", path)
    for username in ("erin", "nobody", "idle"):
        with CaptureQueriesContext(database) as queries:
            response = invite(api, path, username)
        listed = api("get", f"{path}/invitations?pageSize=1").content.decode()
        removed = api("delete", f"{path}/members/{username}")
        changed = api("patch", f"{path}/members/{username}", {"role": "viewer"})
        actual[username] = [
            response.status_code,
            sorted(
                set(response.headers.items()) - {("Content-Length", response["Content-Length"])}
            ),
            without_what_varies(response.content.decode(), username),
            without_what_varies(listed, username),
            len(queries),
            (removed.status_code, removed.content),
            (changed.status_code, changed.content),
        ]
        withdrawn = api("delete", f"{path}/invitations/{response.json()['id']}")
        actual[username].append((withdrawn.status_code, withdrawn.content))
    assert actual["erin"] == actual["nobody"] == actual["idle"]
    assert actual["erin"][0] == 202
    assert actual["erin"][2] == (
        '{"id":"ID","username":"NAME","role":"operator","invitedBy":"olivia",'
        '"invitedAt":"TIME","expiresAt":"TIME"}'
    )
    details = AuditEntry.objects.filter(action__contains="invit").order_by("pk")
    assert [without_what_varies(entry.detail, "erin|nobody|idle") for entry in details] == [
        "NAME: operator"
    ] * 6


def test_owner_sees_the_same_of_a_declined_invitation(api: Api, path: str, erin: User) -> None:
    created = invite(api, path).json()["id"]
    before = api("get", f"{path}/invitations").content
    events = f"{path}/events?kind=audit"
    history = api("get", events).json()["results"]
    assert Api(erin)("post", f"/invitations/{created}/decline").status_code == 204
    assert api("get", f"{path}/invitations").content == before
    assert api("get", events).json()["results"] == history
    assert api("delete", f"{path}/invitations/{created}").status_code == 204


def test_invitation_has_the_documented_fields(api: Api, path: str) -> None:
    actual = invite(api, path).json()
    row = Invitation.objects.get()
    assert actual == {
        "id": str(row.pk),
        "username": "erin",
        "role": "operator",
        "invitedBy": "olivia",
        "invitedAt": actual["invitedAt"],
        "expiresAt": actual["expiresAt"],
    }
    page = api("get", f"{path}/invitations").json()
    assert page == {"count": 1, "next": None, "previous": None, "results": [actual]}
    assert not Membership.objects.filter(user__username="erin").exists()


@pytest.mark.parametrize(
    ("username", "message"),
    [
        ("a b", "Enter a valid username"),
        ("a\u2028b", "Enter a valid username"),
        ("a\u1160", "Remove the invisible character U+1160."),
        ("a/b", "Enter a valid username"),
        ("x" * 151, "Ensure this field has no more than 150 characters."),
        ("\ufb03" * 100, "Ensure this field has no more than 150 characters."),
        ("", "This field may not be blank."),
        (7, "Not a valid string."),
    ],
)
def test_invalid_username_is_refused(api: Api, path: str, username: object, message: str) -> None:
    response = api("post", f"{path}/members", {"username": username, "role": "viewer"})
    status, code, actual = error(response)
    assert (status, code) == (400, "invalid")
    assert actual.startswith(f"username: {message}")
    assert not Invitation.objects.exists()


def test_username_is_normalized_as_at_the_login(api: Api, path: str) -> None:
    assert invite(api, path, "\uff45rin").json()["username"] == "erin"


def test_second_invitation_replaces_the_first(api: Api, path: str) -> None:
    first, second = (invite(api, path, role=role) for role in ("viewer", "owner"))
    assert (first.status_code, second.status_code) == (202, 202)
    (row,) = api("get", f"{path}/invitations").json()["results"]
    assert row == second.json()


def test_too_many_open_invitations_are_refused(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "OPEN_PER_ORGANIZATION", 1)
    invite(api, path)
    assert error(invite(api, path, "frida")) == (
        409,
        "too_many_invitations",
        "This organization has 1 open invitations, and may have no more. Withdraw one first.",
    )


def test_too_many_invitations_in_a_day_get_429_with_retry_after(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "PER_WINDOW", 1)
    invite(api, path)
    response = invite(api, path, "frida")
    assert error(response)[:2] == (429, "too_many_requests")
    assert int(response["Retry-After"]) > 0


def test_withdrawing_twice_gets_204(api: Api, path: str, erin: User) -> None:
    created = invite(api, path).json()["id"]
    for _ in range(2):
        response = api("delete", f"{path}/invitations/{created}")
        assert (response.status_code, response.content) == (204, b"")
    assert api("get", f"{path}/invitations").json()["count"] == 0
    assert error(Api(erin)("post", f"/invitations/{created}/accept")) == NO_INVITATION


def test_only_owners_see_and_withdraw(
    api: Api,
    path: str,
    alice: User,
    bob: User,
    charlie: User,
    olivia: User,
    organization: Organization,
) -> None:
    created = invite(api, path).json()["id"]
    calls = [("get", f"{path}/invitations"), ("delete", f"{path}/invitations/{created}")]
    own = Api(olivia, "manage", organization)
    for method, url in calls:
        for other in (Api(alice), Api(bob), Api(olivia, "read"), own):
            assert error(other(method, url)) == OWNERS_ONLY
        assert error(Api(charlie)(method, url)) == UNKNOWN
    assert Invitation.objects.filter(pk=created).exists()


# --- The invited user -----------------------------------------------------------------------------


def test_invited_user_sees_who_invites_where_and_accepts(
    api: Api, path: str, erin: User, organization: Organization
) -> None:
    created = invite(api, path).json()
    own = Api(erin)
    assert error(own("get", path)) == UNKNOWN
    (row,) = own("get", "/invitations").json()["results"]
    assert row == {
        "id": created["id"],
        "organization": "Acme",
        "role": "operator",
        "invitedBy": "olivia",
        "invitedAt": created["invitedAt"],
        "expiresAt": created["expiresAt"],
    }
    response = own("post", f"/invitations/{created['id']}/accept")
    assert response.status_code == 200
    # Without the state of its connection.
    assert response.json().items() <= own("get", path).json().items()
    assert (response.json()["name"], response.json()["role"]) == ("Acme", "operator")
    assert organization.memberships.get(user=erin).role == "operator"
    assert own("get", "/invitations").json()["count"] == 0
    assert api("get", f"{path}/invitations").json()["count"] == 0
    for verb in ("accept", "decline"):
        assert error(own("post", f"/invitations/{created['id']}/{verb}")) == NO_INVITATION


def test_other_users_get_404_for_an_invitation(
    api: Api, path: str, alice: User, bob: User, charlie: User, olivia: User, erin: User
) -> None:
    created = invite(api, path).json()["id"]
    for user in (alice, bob, charlie, olivia):
        own = Api(user)
        assert own("get", "/invitations").json()["count"] == 0
        for verb in ("accept", "decline"):
            assert error(own("post", f"/invitations/{created}/{verb}")) == NO_INVITATION
    assert Invitation.objects.filter(pk=created, declined_at=None).exists()


def test_organization_tokens_and_read_tokens_are_refused(
    api: Api, path: str, erin: User, organization: Organization
) -> None:
    created = invite(api, path).json()["id"]
    for token in (Api(erin, "read"), Api(erin, "manage", organization)):
        assert error(token("get", "/invitations")) == TOKEN_OWNERS_ONLY
        for verb in ("accept", "decline"):
            assert error(token("post", f"/invitations/{created}/{verb}")) == TOKEN_OWNERS_ONLY
    assert Invitation.objects.filter(pk=created, declined_at=None).exists()


def test_declined_invitation_is_not_listed(api: Api, path: str, erin: User) -> None:
    created = invite(api, path).json()["id"]
    own = Api(erin)
    assert own("post", f"/invitations/{created}/decline").status_code == 204
    assert own("get", "/invitations").json()["count"] == 0
    assert error(own("post", f"/invitations/{created}/accept")) == NO_INVITATION
    assert not Membership.objects.filter(user=erin).exists()
