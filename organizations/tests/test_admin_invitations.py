"""Invitations in Django admin: owners invite a name, and learn nothing of who has it."""

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
from organizations.tests.adminpages import address, browser, rows, shown
from organizations.tests.users import member

Role = Membership.Role


@pytest.fixture
def olga(organization: Organization) -> User:
    """Owns the organization."""
    return member("olga", organization, Role.OWNER)


@pytest.fixture
def erin(db: None) -> User:
    """Belongs nowhere yet."""
    return User.objects.create(username="erin", is_staff=True)


@pytest.fixture
def invited(organization: Organization, olga: User, erin: User) -> Invitation:
    """Olga offers Erin a place."""
    return invitations.invite(organization, "erin", Role.OPERATOR, for_user(olga))


def invite(client: Client, organization: Organization, username: str, role: str = "viewer") -> Any:
    """Fill in the form. Returns the page that it leads to."""
    new = {"organization": organization.pk, "username": username, "role": role}
    return client.post(address("invitation", "add"), new, follow=True)


def post(user: User, page: str, invitation: Invitation) -> str:
    """Press a button. Returns the page that it leads to."""
    where = address("invitation", page, invitation.pk)
    return browser(user).post(where, follow=True).content.decode()


# --- What owners see and do ----------------------------------------------------------------------


def test_owner_invites_and_sees_the_invitation(olga: User, organization: Organization) -> None:
    page = invite(browser(olga), organization, "erin").content.decode()
    assert "Invited: erin in Acme." in page
    made = Invitation.objects.get()
    assert (made.organization, made.username, made.role) == (organization, "erin", Role.VIEWER)
    assert made.invited_by == olga
    assert address("invitation", "withdraw", made.pk) in page
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user, entry.address) == ("member_invited", olga, "127.0.0.1")
    assert not LogEntry.objects.exists()
    assert not Membership.objects.exclude(user=olga).exists()


def test_owner_sees_the_same_pages_for_known_unknown_and_inactive(
    olga: User, erin: User, organization: Organization
) -> None:
    User.objects.create(username="idle", is_active=False)
    client, told = browser(olga), {}
    varies = {
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "ID",
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "TIME",
        r'name="csrfmiddlewaretoken" value="\w+"': "TOKEN",
    }
    for username in ("erin", "none", "idle"):
        with CaptureQueriesContext(database) as asked:
            answer = invite(client, organization, username)
        page = answer.content.decode()
        for pattern, word in varies.items():
            page = re.sub(pattern, word, page)
        told[username] = [
            answer.redirect_chain,
            answer.status_code,
            page.replace(username, "NAME"),
            len(asked),
        ]
        Invitation.objects.all().delete()
    assert told["erin"] == told["none"] == told["idle"]


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
def test_what_cannot_be_invited_is_said_at_the_field(
    olga: User, alice: User, organization: Organization, username: str, message: str
) -> None:
    answer = invite(browser(olga), organization, username)
    assert message in " ".join(answer.context["adminform"].form.errors["username"])
    assert not Invitation.objects.exists()


def test_inactive_member_is_told_of_like_any_other_member(
    olga: User, alice: User, organization: Organization
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    answer = invite(browser(olga), organization, "alice")
    assert "is a member already" in answer.content.decode()


def test_name_invited_again_has_the_new_role(
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
def test_too_many_invitations_are_refused_with_the_reason(
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


def test_foreign_organization_is_no_choice(
    olga: User, organization: Organization, other_organization: Organization
) -> None:
    Membership.objects.create(user=olga, organization=other_organization, role=Role.OPERATOR)
    page = invite(browser(olga), other_organization, "erin").content.decode()
    assert "Select a valid choice" in page
    assert not Invitation.objects.exists()


def test_owner_withdraws_after_a_question(olga: User, invited: Invitation) -> None:
    where = address("invitation", "withdraw", invited.pk)
    assert "erin in Acme" in shown(olga, where)
    assert Invitation.objects.exists()
    assert "Withdrawn: erin in Acme." in post(olga, "withdraw", invited)
    assert not Invitation.objects.exists()


def test_only_owners_and_superusers_see_the_list(
    olga: User, alice: User, bob: User, charlie: User, invited: Invitation, admin_user: User
) -> None:
    where = address("invitation", "withdraw", invited.pk)
    for user in (alice, bob):
        assert browser(user).get(address("invitation")).status_code == 403
        assert browser(user).post(where).status_code == 404
    assert rows(charlie, address("invitation")) == []
    assert browser(charlie).post(where).status_code == 404
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
    told = rows(admin_user, address("auditentry"))[0]
    assert (told.action, told.detail) == ("invitation_declined", "Acme: erin: operator")


# --- What the invited person sees and does -------------------------------------------------------


@pytest.mark.parametrize(
    "page", ["/admin/", "/admin/connections/", address("invitation", "received")]
)
def test_invited_person_is_asked_where_they_land(
    erin: User, invited: Invitation, page: str
) -> None:
    told = shown(erin, page)
    assert "Invited by olga" in told
    assert "Acme" in told
    assert "Operator: reconnects and disconnects too" in told
    for button in ("accept", "decline"):
        assert address("invitation", button, invited.pk) in told


def test_nobody_else_sees_the_invitation(
    invited: Invitation, alice: User, bob: User, charlie: User, olga: User
) -> None:
    for user in (alice, bob, charlie, olga):
        for page in ("/admin/", "/admin/connections/", address("invitation", "received")):
            assert "Invited by" not in shown(user, page)
        for button in ("accept", "decline"):
            assert "This invitation is not open any more." in post(user, button, invited)
    assert Invitation.objects.filter(pk=invited.pk, declined_at=None).exists()


def test_accepting_makes_a_member_and_leads_home(
    erin: User, invited: Invitation, organization: Organization
) -> None:
    page = post(erin, "accept", invited)
    assert "You are a member of Acme now." in page
    assert "You are invited" not in page
    assert organization.memberships.get(user=erin).role == Role.OPERATOR
    assert "This invitation is not open any more." in post(erin, "accept", invited)


def test_declining_makes_no_member(
    erin: User, invited: Invitation, organization: Organization
) -> None:
    page = post(erin, "decline", invited)
    assert "You have declined the invitation to Acme." in page
    assert "You are invited" not in page
    assert not organization.memberships.filter(user=erin).exists()


def test_other_invitations_are_shown_after_an_answer(
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


def test_first_pages_show_three_and_lead_to_the_others(erin: User, olga: User) -> None:
    for number in range(4):
        organization = Organization.objects.create(name=f"Number {number}")
        Membership.objects.create(user=olga, organization=organization, role=Role.OWNER)
        invitations.invite(organization, "erin", Role.VIEWER, for_user(olga))
    page = shown(erin, "/admin/")
    assert page.count("Invited by olga") == 3
    assert "All 4 invitations" in page
    assert shown(erin, address("invitation", "received")).count("Invited by olga") == 4
