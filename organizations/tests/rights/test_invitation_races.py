"""Concurrent changes of an invitation, and rights that end after the view's check."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from organizations import actions, invitations
from organizations.access import Actor, Caller, for_user
from organizations.models import AuditEntry, Invitation, Membership, Organization
from organizations.tests.rights.test_races import ROUNDS, at_the_same_time
from organizations.tests.support.users import member

Role = Membership.Role
TESTS = Actor("the tests")


class Turn:
    """An organization with two owners; the first has invited a user."""

    def __init__(self, number: int) -> None:
        self.organization = Organization.objects.create(name=f"Acme {number}")
        self.olga = member(f"olga{number}", self.organization, Role.OWNER)
        self.oscar = member(f"oscar{number}", self.organization, Role.OWNER)
        self.erin = User.objects.create(username=f"erin{number}")
        self.invitation = self.invite(self.olga)

    def invite(self, owner: User) -> Invitation:
        return invitations.invite(
            self.organization, self.erin.username, Role.OWNER, for_user(owner)
        )

    def accept(self) -> Any:
        return attempt(invitations.accept, self.invitation.pk, for_user(self.erin))

    def actions(self) -> list[str]:
        """Return the audit actions after the invitation."""
        entries = AuditEntry.objects.filter(organization=self.organization).order_by("pk")
        return list(entries.values_list("action", flat=True))[1:]

    def is_member(self) -> bool:
        return self.organization.memberships.filter(user=self.erin).exists()


def attempt(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a call, or the exception that it raises."""
    try:
        return call(*arguments)
    except (Invitation.DoesNotExist, PermissionDenied, invitations.AlreadyMember) as error:
        return error


@pytest.mark.django_db(transaction=True)
def test_one_of_two_concurrent_acceptances_succeeds() -> None:
    for number in range(ROUNDS):
        turn = Turn(number)
        responses = at_the_same_time(turn.accept, turn.accept)
        assert responses.count(turn.organization) == 1
        assert {type(respond) for respond in responses} == {Organization, Invitation.DoesNotExist}
        assert turn.actions() == ["member_added"]
        assert turn.organization.memberships.filter(user=turn.erin).count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_withdrawal_and_acceptance_have_one_winner() -> None:
    for number in range(ROUNDS):
        turn = Turn(number)
        withdraw = partial(
            invitations.withdraw,
            turn.organization,
            turn.invitation.pk,
            for_user(turn.oscar).actor,
        )
        accepted, _ = at_the_same_time(turn.accept, withdraw)
        assert turn.is_member() == isinstance(accepted, Organization)
        assert turn.actions() == ["member_added" if turn.is_member() else "invitation_withdrawn"]
        assert not Invitation.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("loss", ["removed", "demoted", "inactive"])
def test_invitation_is_not_accepted_after_its_maker_lost_the_right(loss: str) -> None:
    for number in range(ROUNDS):
        turn = Turn(number)
        oscar = for_user(turn.oscar).actor
        place = turn.organization.memberships.get(user=turn.olga)
        end: dict[str, Callable[[], object]] = {
            "removed": partial(actions.remove_member, place, oscar),
            "demoted": partial(
                actions.set_member, turn.organization, turn.olga, Role.VIEWER, oscar, add=False
            ),
            "inactive": lambda pk=turn.olga.pk: User.objects.filter(pk=pk).update(  # type: ignore[misc]
                is_active=False
            ),
        }
        accepted, _ = at_the_same_time(turn.accept, end[loss])
        assert turn.is_member() == isinstance(accepted, Organization)
        actual = [action for action in turn.actions() if action.startswith("member_")]
        if turn.is_member():
            # Accepted before the right ended.
            assert actual[0] == "member_added"
        else:
            assert "member_added" not in actual
        assert isinstance(
            attempt(invitations.accept, turn.invitation.pk, for_user(turn.erin)),
            Invitation.DoesNotExist,
        )


@pytest.mark.django_db(transaction=True)
def test_concurrent_invitations_of_a_name_leave_one() -> None:
    for number in range(ROUNDS):
        turn = Turn(number)
        created = at_the_same_time(
            partial(turn.invite, turn.olga), partial(turn.invite, turn.oscar)
        )
        left = turn.organization.invitations.get()
        assert left in created


@pytest.mark.django_db(transaction=True)
def test_invitation_renewed_while_accepted_does_not_outlive_the_membership() -> None:
    for number in range(ROUNDS):
        turn = Turn(number)
        accepted, renewed = at_the_same_time(turn.accept, partial(attempt, turn.invite, turn.oscar))
        if isinstance(accepted, Organization):
            assert isinstance(renewed, invitations.AlreadyMember)
        assert turn.is_member() != turn.organization.invitations.exists()


# --- A right that has ended after the view's check -----------------------------------------------


def test_owner_demoted_meanwhile_cannot_invite_or_withdraw(organization: Organization) -> None:
    olga = member("olga", organization, Role.OWNER)
    caller = Caller(olga)
    created = invitations.invite(organization, "erin", Role.VIEWER, caller)
    organization.memberships.filter(user=olga).update(role=Role.OPERATOR)
    calls: list[Callable[[], object]] = [
        lambda: invitations.invite(organization, "frida", Role.VIEWER, caller),
        lambda: invitations.withdraw(organization, created.pk, caller.actor),
    ]
    for call in calls:
        with pytest.raises(PermissionDenied, match="Only an owner"):
            call()
    assert list(Invitation.objects.all()) == [created]


def test_superuser_demoted_meanwhile_cannot_add_a_member(organization: Organization) -> None:
    root = member("root", organization, Role.OWNER)
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    caller = Caller(User.objects.get(pk=root.pk))
    erin = User.objects.create(username="erin")
    User.objects.filter(pk=root.pk).update(is_superuser=False)
    with pytest.raises(PermissionDenied, match="Only an administrator"):
        actions.set_member(organization, erin, Role.VIEWER, caller.actor)
    assert not organization.memberships.filter(user=erin).exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_deactivation_and_addition_are_serialized() -> None:
    def add(organization: Organization, user: User) -> Any:
        try:
            return actions.set_member(organization, user, Role.VIEWER, TESTS)
        except actions.InactiveUser as error:
            return error

    for number in range(ROUNDS):
        organization = Organization.objects.create(name=f"Acme {number}")
        erin = User.objects.create(username=f"erin{number}")
        users = User.objects.filter(pk=erin.pk)
        added, _ = at_the_same_time(
            partial(add, organization, erin), partial(users.update, is_active=False)
        )
        is_member = organization.memberships.filter(user=erin).exists()
        assert is_member != isinstance(added, actions.InactiveUser)
        with pytest.raises(actions.InactiveUser):
            organization.memberships.all().delete()
            actions.set_member(organization, erin, Role.VIEWER, TESTS)


def test_token_revoked_meanwhile_cannot_accept_or_decline(organization: Organization) -> None:
    olga = member("olga", organization, Role.OWNER)
    erin = User.objects.create(username="erin")
    token = actions.create_token(erin, "x", TESTS)[0]
    created = invitations.invite(organization, "erin", Role.VIEWER, for_user(olga))
    caller = Caller(erin, token)
    actions.revoke_token(token, TESTS)
    for respond in (invitations.accept, invitations.decline):
        with pytest.raises(PermissionDenied, match="has ended"):
            respond(created.pk, caller)
    assert Invitation.objects.filter(pk=created.pk, declined_at=None).exists()
