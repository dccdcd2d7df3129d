"""Invitations: creating, answering, ending and limits."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection as database
from django.db.models.query import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from organizations import actions, invitations
from organizations.access import Actor, Caller, for_user
from organizations.models import ApiToken, AuditEntry, Invitation, Membership, Organization
from organizations.tests.support.users import member

Role = Membership.Role
TESTS = Actor("the tests")


@pytest.fixture
def olga(organization: Organization) -> User:
    """Return an owner of the organization."""
    return member("olga", organization, Role.OWNER)


@pytest.fixture
def erin(db: None) -> User:
    """Return a user without memberships."""
    return User.objects.create(username="erin")


@pytest.fixture
def invited(organization: Organization, olga: User, erin: User) -> Invitation:
    """Return Olga's invitation for Erin."""
    return invitations.invite(organization, "erin", Role.VIEWER, for_user(olga))


def offered(user: User) -> QuerySet[Invitation]:
    return invitations.received(for_user(user))


def waiting(organization: Organization) -> list[str]:
    """Return the usernames of the invitations that owners see."""
    rows = invitations.sent(Organization.objects.filter(pk=organization.pk))
    return list(rows.values_list("username", flat=True))


def entries() -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.order_by("pk")
    return list(found.values_list("action", "actor", "detail"))


# --- Answers ------------------------------------------------------------------------------------


def test_invited_user_is_no_member_before_accepting(
    organization: Organization, invited: Invitation, erin: User
) -> None:
    assert not organization.memberships.filter(user=erin).exists()
    assert list(offered(erin)) == [invited]
    assert entries() == [("member_invited", "olga", "erin: viewer")]


def test_accepting_adds_a_member_and_deletes_the_invitation(
    organization: Organization, invited: Invitation, erin: User
) -> None:
    assert invitations.accept(invited.pk, for_user(erin, "192.0.2.7")) == organization
    assert organization.memberships.get(user=erin).role == Role.VIEWER
    assert not Invitation.objects.exists()
    assert entries()[1:] == [("member_added", "erin", "erin: viewer, invited by olga")]
    entry = AuditEntry.objects.get(action="member_added")
    assert (entry.organization, entry.user, entry.address) == (organization, erin, "192.0.2.7")


def test_second_acceptance_is_not_found_and_adds_no_entry(invited: Invitation, erin: User) -> None:
    invitations.accept(invited.pk, for_user(erin))
    with pytest.raises(Invitation.DoesNotExist):
        invitations.accept(invited.pk, for_user(erin))
    assert len(entries()) == 2


def test_declined_invitation_looks_open_to_owners(
    organization: Organization, invited: Invitation, erin: User
) -> None:
    before = waiting(organization)
    invitations.decline(invited.pk, for_user(erin))
    assert waiting(organization) == before == ["erin"]
    assert not offered(erin).exists()
    with pytest.raises(Invitation.DoesNotExist):
        invitations.accept(invited.pk, for_user(erin))
    assert not organization.audit_entries.filter(action="invitation_declined").exists()
    entry = AuditEntry.objects.get(action="invitation_declined")
    assert (entry.organization, entry.detail) == (None, "Acme: erin: viewer")


def test_user_invited_again_after_declining_receives_the_new_invitation(
    organization: Organization, invited: Invitation, erin: User, olga: User
) -> None:
    invitations.decline(invited.pk, for_user(erin))
    again = invitations.invite(organization, "erin", Role.OWNER, for_user(olga))
    assert list(offered(erin)) == [again]
    assert again.pk != invited.pk


def test_acceptance_of_a_replaced_invitation_is_not_found(
    organization: Organization, invited: Invitation, erin: User, olga: User
) -> None:
    invitations.invite(organization, "erin", Role.OWNER, for_user(olga))
    with pytest.raises(Invitation.DoesNotExist):
        invitations.accept(invited.pk, for_user(erin))
    assert Invitation.objects.get().role == Role.OWNER


def test_user_created_after_the_invitation_can_accept_it(
    organization: Organization, olga: User
) -> None:
    invitation = invitations.invite(organization, "frida", Role.VIEWER, for_user(olga))
    frida = User.objects.create(username="frida")
    invitations.accept(invitation.pk, for_user(frida))
    assert organization.memberships.filter(user=frida).exists()


@pytest.mark.parametrize("name", ["Erin", "ERIN", "erin2", "eri"])
def test_user_of_another_name_cannot_accept_or_decline(invited: Invitation, name: str) -> None:
    other = User.objects.create(username=name)
    assert not offered(other).exists()
    for respond in (invitations.accept, invitations.decline):
        with pytest.raises(Invitation.DoesNotExist):
            respond(invited.pk, for_user(other))


def test_renamed_user_loses_the_invitation(invited: Invitation, erin: User) -> None:
    # The caller was read before the renaming.
    caller = for_user(erin)
    User.objects.filter(pk=erin.pk).update(username="frida")
    with pytest.raises(Invitation.DoesNotExist):
        invitations.accept(invited.pk, caller)


def test_inactive_user_cannot_accept_or_decline(invited: Invitation, erin: User) -> None:
    caller = for_user(erin)
    User.objects.filter(pk=erin.pk).update(is_active=False)
    for respond in (invitations.accept, invitations.decline):
        with pytest.raises(PermissionDenied):
            respond(invited.pk, caller)
    assert Invitation.objects.filter(declined_at=None).exists()


def test_read_tokens_and_organization_tokens_cannot_accept_or_decline(
    organization: Organization, invited: Invitation, erin: User
) -> None:
    reader = actions.create_token(erin, "x", TESTS, scope=ApiToken.Scope.READ)[0]
    own = actions.create_token(erin, "x", TESTS, organization=organization)[0]
    for token in (reader, own):
        with pytest.raises(PermissionDenied):
            invitations.accept(invited.pk, Caller(erin, token))


def test_user_added_meanwhile_keeps_the_role(
    organization: Organization, invited: Invitation, erin: User
) -> None:
    Membership.objects.create(organization=organization, user=erin, role=Role.OWNER)
    invitations.accept(invited.pk, for_user(erin))
    assert organization.memberships.get(user=erin).role == Role.OWNER
    assert not Invitation.objects.exists()


# --- By mail address ------------------------------------------------------------------------------


MAIL = "Erin.Lima@Example.com"


@pytest.mark.parametrize("typed", [MAIL, "erin.lima@example.com"])
def test_invitation_of_a_mail_address_is_for_its_account(
    organization: Organization, olga: User, erin: User, typed: str
) -> None:
    invitation = invitations.invite(organization, typed, Role.VIEWER, for_user(olga))
    assert not offered(erin).exists()
    User.objects.filter(pk=erin.pk).update(email=MAIL)
    erin.refresh_from_db()
    assert list(offered(erin)) == [invitation]
    assert waiting(organization) == [typed], "the owner learns no username"
    invitations.accept(invitation.pk, for_user(erin))
    assert organization.memberships.get(user=erin).role == Role.VIEWER
    assert entries()[-1] == ("member_added", "erin", f"{typed}: viewer, invited by olga")


def test_address_of_two_accounts_is_of_neither(
    organization: Organization, olga: User, erin: User, charlie: User
) -> None:
    User.objects.filter(pk__in=[erin.pk, charlie.pk]).update(email=MAIL)
    invitation = invitations.invite(organization, MAIL, Role.VIEWER, for_user(olga))
    for user in User.objects.filter(email=MAIL):
        assert not offered(user).exists()
        with pytest.raises(Invitation.DoesNotExist):
            invitations.accept(invitation.pk, for_user(user))


def test_address_is_invited_once_in_any_case(organization: Organization, olga: User) -> None:
    for typed in (MAIL, MAIL.lower()):
        invitations.invite(organization, typed, Role.VIEWER, for_user(olga))
    assert waiting(organization) == [MAIL.lower()]


def test_address_of_a_member_is_invited_like_any_other(
    organization: Organization, olga: User, bob: User
) -> None:
    """A refusal would tell owners the addresses of members."""
    User.objects.filter(pk=bob.pk).update(email=MAIL)
    bob.refresh_from_db()
    invitation = invitations.invite(organization, MAIL, Role.OWNER, for_user(olga))
    invitations.accept(invitation.pk, for_user(bob))
    assert organization.memberships.get(user=bob).role == Role.VIEWER


# --- Ending ---------------------------------------------------------------------------------------


def test_expired_invitation_is_gone_for_everyone(
    organization: Organization, invited: Invitation, erin: User
) -> None:
    assert invited.expires_at - invited.created_at >= invitations.LIFETIME - timedelta(seconds=5)
    Invitation.objects.update(expires_at=timezone.now())
    assert waiting(organization) == []
    assert not offered(erin).exists()
    with pytest.raises(Invitation.DoesNotExist):
        invitations.accept(invited.pk, for_user(erin))


def test_withdrawing_twice_adds_one_audit_entry(
    organization: Organization, invited: Invitation, erin: User, olga: User
) -> None:
    for _ in range(2):
        invitations.withdraw(organization, invited.pk, for_user(olga).actor)
    assert not offered(erin).exists()
    assert entries()[1:] == [("invitation_withdrawn", "olga", "erin: viewer")]


def test_invitation_of_another_organization_is_not_withdrawn(
    other_organization: Organization, invited: Invitation, charlie: User
) -> None:
    invitations.withdraw(other_organization, invited.pk, for_user(charlie).actor)
    assert Invitation.objects.filter(pk=invited.pk).exists()


LOSSES: dict[str, Callable[[User], object]] = {
    "removed": lambda olga: olga.memberships.all().delete(),
    "demoted": lambda olga: olga.memberships.update(role=Role.OPERATOR),
    "inactive": lambda olga: User.objects.filter(pk=olga.pk).update(is_active=False),
    "deleted": lambda olga: User.objects.filter(pk=olga.pk).delete(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_invitation_ends_when_its_inviter_loses_the_right(
    organization: Organization, invited: Invitation, erin: User, olga: User, loss: str
) -> None:
    LOSSES[loss](olga)
    assert not offered(erin).exists()
    assert waiting(organization) == []
    with pytest.raises(Invitation.DoesNotExist):
        invitations.accept(invited.pk, for_user(erin))
    assert not organization.memberships.filter(user=erin).exists()


def test_invitation_stays_when_its_inviter_becomes_a_superuser(
    organization: Organization, invited: Invitation, erin: User, olga: User
) -> None:
    olga.memberships.all().delete()
    User.objects.filter(pk=olga.pk).update(is_superuser=True)
    assert invitations.accept(invited.pk, for_user(erin)) == organization


def test_invitation_ends_when_its_token_is_revoked(
    organization: Organization, olga: User, erin: User
) -> None:
    token = actions.create_token(olga, "a script", TESTS)[0]
    invitation = invitations.invite(organization, "erin", Role.OWNER, Caller(olga, token))
    assert entries()[-1] == ("member_invited", "olga (API token a script)", "erin: owner")
    actions.revoke_token(token, TESTS)
    assert not offered(erin).exists()
    with pytest.raises(Invitation.DoesNotExist):
        invitations.accept(invitation.pk, for_user(erin))


def test_end_invitations_of_one_user_leaves_those_of_others(
    organization: Organization, invited: Invitation, olga: User
) -> None:
    oscar = member("oscar", organization, Role.OWNER)
    invitations.invite(organization, "frida", Role.VIEWER, for_user(oscar))
    invitations.end_invitations_of(organization, olga, TESTS)
    assert list(Invitation.objects.values_list("username", flat=True)) == ["frida"]
    assert entries()[-1] == ("invitation_withdrawn", "the tests", "erin: viewer")


# --- Permissions and limits ----------------------------------------------------------------------


def test_inviting_a_member_is_refused(organization: Organization, olga: User, bob: User) -> None:
    for name in ("bob", "olga"):
        with pytest.raises(invitations.AlreadyMember):
            invitations.invite(organization, name, Role.OWNER, for_user(olga))
    assert not Invitation.objects.exists()


def test_only_managers_may_invite_and_withdraw(
    organization: Organization, invited: Invitation, alice: User, bob: User, charlie: User
) -> None:
    for user in (alice, bob, charlie):
        with pytest.raises(PermissionDenied):
            invitations.invite(organization, "frida", Role.VIEWER, for_user(user))
        with pytest.raises(PermissionDenied):
            invitations.withdraw(organization, invited.pk, for_user(user).actor)
    assert list(Invitation.objects.all()) == [invited]


def test_open_invitations_are_limited_and_renewing_one_is_not_refused(
    organization: Organization, olga: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "OPEN_PER_ORGANIZATION", 2)
    for name in ("a", "b", "b"):
        invitations.invite(organization, name, Role.VIEWER, for_user(olga))
    with pytest.raises(invitations.TooManyOpen, match="has 2 open invitations"):
        invitations.invite(organization, "c", Role.VIEWER, for_user(olga))
    Invitation.objects.filter(username="a").update(expires_at=timezone.now())
    invitations.invite(organization, "c", Role.VIEWER, for_user(olga))
    # Expired invitations were deleted.
    assert set(Invitation.objects.values_list("username", flat=True)) == {"b", "c"}


def test_withdrawn_invitations_count_for_the_daily_limit(
    organization: Organization,
    other_organization: Organization,
    olga: User,
    charlie: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(invitations, "PER_WINDOW", 2)
    for name in ("a", "b"):
        created = invitations.invite(organization, name, Role.VIEWER, for_user(olga))
        invitations.withdraw(organization, created.pk, for_user(olga).actor)
    with pytest.raises(invitations.TooManyInvitations) as refused:
        invitations.invite(organization, "c", Role.VIEWER, for_user(olga))
    assert 0 < refused.value.wait <= invitations.RATE_WINDOW.total_seconds()
    invitations.invite(other_organization, "c", Role.VIEWER, for_user(charlie))
    AuditEntry.objects.update(at=timezone.now() - invitations.RATE_WINDOW)
    invitations.invite(organization, "c", Role.VIEWER, for_user(olga))


def test_inviting_runs_the_same_queries_for_each_name(
    organization: Organization, olga: User, erin: User
) -> None:
    User.objects.create(username="idle", is_active=False)
    User.objects.filter(pk=erin.pk).update(email=MAIL)
    counts: list[int] = []
    for name in (MAIL, "nobody@example.com"):
        with CaptureQueriesContext(database) as captured:
            invitations.invite(organization, name, Role.VIEWER, for_user(olga))
        counts.append(len(captured.captured_queries))
    assert counts[0] == counts[1]
    queries = {}
    for name in ("erin", "idle", "nobody"):
        with CaptureQueriesContext(database) as captured:
            created = invitations.invite(organization, name, Role.VIEWER, for_user(olga))
        assert created.username == name
        # Without the parameters: names, ids, times.
        values = re.compile(r"'[^']*'|\b[0-9a-f]*[0-9][0-9a-f]*\b")
        queries[name] = [
            values.sub("?", query["sql"])
            for query in captured.captured_queries
            if "SAVEPOINT" not in query["sql"]
        ]
    assert queries["erin"] == queries["idle"] == queries["nobody"]
    assert len(queries["erin"]) > 5
