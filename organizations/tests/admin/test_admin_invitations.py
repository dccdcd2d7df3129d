"""Invitations in Django admin: owners invite a username without learning whether it exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from organizations import invitations
from organizations.access import for_user
from organizations.models import AuditEntry, Invitation, Membership, Organization
from organizations.tests.support.adminpages import address, browser, rows, shown
from organizations.tests.support.users import member

Role = Membership.Role


@pytest.fixture
def olga(organization: Organization) -> User:
    """Return an owner of the organization."""
    return member("olga", organization, Role.OWNER)


@pytest.fixture
def erin(db: None) -> User:
    """Return a user without memberships."""
    return User.objects.create(username="erin", is_staff=True)


@pytest.fixture
def invited(organization: Organization, olga: User, erin: User) -> Invitation:
    """Return Olga's invitation for Erin."""
    return invitations.invite(organization, "erin", Role.OPERATOR, for_user(olga))


def invite(client: Client, organization: Organization, username: str, role: str = "viewer") -> Any:
    """Submit the form and return the response after redirects."""
    new = {"organization": organization.pk, "username": username, "role": role}
    return client.post(address("invitation", "add"), new, follow=True)


def post(user: User, page: str, invitation: Invitation) -> str:
    """Post to a page of an invitation and return the HTML after redirects."""
    url = address("invitation", page, invitation.pk)
    return browser(user).post(url, follow=True).content.decode()


# --- Owners --------------------------------------------------------------------------------------


def test_owner_invites_and_sees_the_invitation(olga: User, organization: Organization) -> None:
    page = invite(browser(olga), organization, "erin").content.decode()
    assert "Invited: erin in Acme." in page
    created = Invitation.objects.get()
    assert (created.organization, created.username, created.role) == (
        organization,
        "erin",
        Role.VIEWER,
    )
    assert created.invited_by == olga
    assert address("invitation", "withdraw", created.pk) in page
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user, entry.address) == ("member_invited", olga, "127.0.0.1")
    assert not LogEntry.objects.exists()
    assert not Membership.objects.exclude(user=olga).exists()


def test_owner_sees_the_same_pages_for_known_unknown_and_inactive(
    olga: User, erin: User, organization: Organization
) -> None:
    User.objects.create(username="idle", is_active=False)
    client, actual = browser(olga), {}
    varies = {
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "ID",
        r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d": "TIME",
        r'name="csrfmiddlewaretoken" value="\w+"': "TOKEN",
    }
    User.objects.filter(pk=erin.pk).update(email="known@example.com")
    for username in ("erin", "none", "idle", "known@example.com", "other@example.com"):
        with CaptureQueriesContext(database) as queries:
            response = invite(client, organization, username)
        page = response.content.decode()
        for pattern, word in varies.items():
            page = re.sub(pattern, word, page)
        actual[username] = [
            response.redirect_chain,
            response.status_code,
            page.replace(username, "NAME"),
            len(queries),
        ]
        Invitation.objects.all().delete()
    assert actual["erin"] == actual["none"] == actual["idle"]
    assert actual["known@example.com"] == actual["other@example.com"]


@pytest.mark.parametrize(
    ("username", "message"),
    [
        ("alice", "This user is a member already."),
        ("a b", "Enter a valid username"),
        ("a\u1160", "Remove the invisible character U+1160."),
        ("x" * 151, "at most 150 characters"),
        ("", "This field is required."),
    ],
)
def test_invalid_invitation_shows_an_error_at_the_field(
    olga: User, alice: User, organization: Organization, username: str, message: str
) -> None:
    response = invite(browser(olga), organization, username)
    assert message in " ".join(response.context["adminform"].form.errors["username"])
    assert not Invitation.objects.exists()


def test_inactive_member_gets_the_same_error_as_other_members(
    olga: User, alice: User, organization: Organization
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    response = invite(browser(olga), organization, "alice")
    assert "is a member already" in response.content.decode()


def test_second_invitation_of_a_name_replaces_the_role(
    olga: User, invited: Invitation, organization: Organization
) -> None:
    assert "Invited: erin" in invite(browser(olga), organization, "erin", "owner").content.decode()
    assert Invitation.objects.get().role == Role.OWNER


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("OPEN_PER_ORGANIZATION", "has 1 open invitations"),
        ("PER_WINDOW", "has sent too many invitations"),
    ],
)
def test_too_many_invitations_are_refused_with_a_message(
    olga: User,
    invited: Invitation,
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    message: str,
) -> None:
    monkeypatch.setattr(invitations, limit, 1)
    assert message in invite(browser(olga), organization, "frida").content.decode()
    assert list(Invitation.objects.all()) == [invited]


def test_foreign_organization_is_not_a_choice(
    olga: User, organization: Organization, other_organization: Organization
) -> None:
    Membership.objects.create(user=olga, organization=other_organization, role=Role.OPERATOR)
    page = invite(browser(olga), other_organization, "erin").content.decode()
    assert "Select a valid choice" in page
    assert not Invitation.objects.exists()


def test_owner_withdraws_after_confirmation(olga: User, invited: Invitation) -> None:
    url = address("invitation", "withdraw", invited.pk)
    assert "erin in Acme" in shown(olga, url)
    assert Invitation.objects.exists()
    assert "Withdrawn: erin in Acme." in post(olga, "withdraw", invited)
    assert not Invitation.objects.exists()


def test_only_owners_and_superusers_see_the_list(
    olga: User, alice: User, bob: User, charlie: User, invited: Invitation, admin_user: User
) -> None:
    url = address("invitation", "withdraw", invited.pk)
    for user in (alice, bob):
        assert browser(user).get(address("invitation")).status_code == 403
        assert browser(user).post(url).status_code == 404
    assert rows(charlie, address("invitation")) == []
    assert browser(charlie).post(url).status_code == 404
    for user in (olga, admin_user):
        assert rows(user, address("invitation")) == [invited]
    assert Invitation.objects.filter(pk=invited.pk).exists()


def test_declined_invitation_looks_the_same_to_the_owner(
    olga: User, erin: User, invited: Invitation, admin_user: User
) -> None:
    def seen() -> list[list[Any]]:
        return [rows(olga, address(page)) for page in ("invitation", "auditentry")]

    before = seen()
    post(erin, "decline", invited)
    assert seen() == before
    actual = rows(admin_user, address("auditentry"))[0]
    assert (actual.action, actual.detail) == ("invitation_declined", "Acme: erin: operator")


# --- The invited user ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", ["/admin/", "/admin/connections/", address("invitation", "received")]
)
def test_invited_user_sees_the_invitation_on_the_first_page(
    erin: User, invited: Invitation, page: str
) -> None:
    actual = shown(erin, page)
    assert "Invited by olga" in actual
    assert "Acme" in actual
    assert "Operator: reconnects and disconnects too" in actual
    for button in ("accept", "decline"):
        assert address("invitation", button, invited.pk) in actual


def test_nobody_else_sees_the_invitation(
    invited: Invitation, alice: User, bob: User, charlie: User, olga: User
) -> None:
    for user in (alice, bob, charlie, olga):
        for page in ("/admin/", "/admin/connections/", address("invitation", "received")):
            assert "Invited by" not in shown(user, page)
        for button in ("accept", "decline"):
            assert "This invitation is not open any more." in post(user, button, invited)
    assert Invitation.objects.filter(pk=invited.pk, declined_at=None).exists()


def test_accepting_adds_a_member_and_redirects_to_the_index(
    erin: User, invited: Invitation, organization: Organization
) -> None:
    page = post(erin, "accept", invited)
    assert "You are a member of Acme now." in page
    assert "You are invited" not in page
    assert organization.memberships.get(user=erin).role == Role.OPERATOR
    assert "This invitation is not open any more." in post(erin, "accept", invited)


def test_declining_adds_no_member(
    erin: User, invited: Invitation, organization: Organization
) -> None:
    page = post(erin, "decline", invited)
    assert "You have declined the invitation to Acme." in page
    assert "You are invited" not in page
    assert not organization.memberships.filter(user=erin).exists()


def test_remaining_invitations_are_shown_after_an_answer(
    erin: User, invited: Invitation, charlie: User, other_organization: Organization
) -> None:
    invitations.invite(other_organization, "erin", Role.VIEWER, for_user(charlie))
    page = post(erin, "decline", invited)
    assert "Invited by charlie" in page
    assert "Invited by olga" not in page


def test_answer_without_a_csrf_token_is_refused(erin: User, invited: Invitation) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(erin)
    for button in ("accept", "decline"):
        assert client.post(address("invitation", button, invited.pk)).status_code == 403
    assert Invitation.objects.filter(pk=invited.pk, declined_at=None).exists()


def test_names_are_escaped(erin: User, invited: Invitation) -> None:
    Organization.objects.update(name="<b>Acme</b>")
    for page in ("/admin/", address("invitation", "received")):
        assert "<b>Acme" not in shown(erin, page)
        assert "&lt;b&gt;Acme" in shown(erin, page)


def test_first_pages_show_three_and_link_to_the_others(erin: User, olga: User) -> None:
    for number in range(4):
        organization = Organization.objects.create(name=f"Number {number}")
        Membership.objects.create(user=olga, organization=organization, role=Role.OWNER)
        invitations.invite(organization, "erin", Role.VIEWER, for_user(olga))
    page = shown(erin, "/admin/")
    assert page.count("Invited by olga") == 3
    assert "All 4 invitations" in page
    assert shown(erin, address("invitation", "received")).count("Invited by olga") == 4
