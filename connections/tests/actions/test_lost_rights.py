"""Pairings and links for a phone's owner end with the right that they were begun with."""

from __future__ import annotations

from functools import partial

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from connections import actions
from connections.lifecycle import Reason, State
from connections.models import Connection, OwnerLink, PairingAttempt
from connections.tests.support.fake_worker import FakeWorker
from organizations import actions as organizations
from organizations.access import Actor, Caller
from organizations.models import ApiToken, Membership, Organization
from organizations.tests.rights.test_races import at_the_same_time
from organizations.tests.support.users import member

Role = Membership.Role
TESTS = Actor("the tests")
ROUNDS = 10


def pair(connection: Connection, hand: FakeWorker, actor: Actor) -> PairingAttempt:
    """A pairing that this actor began, with a code to be scanned."""
    actions.request_reconnect(connection.pk, actor)
    return hand.show_code(connection)[1]


def is_open(attempt: PairingAttempt) -> bool:
    attempt.refresh_from_db()
    assert (attempt.ended_at is None) == bool(attempt.code)
    return attempt.ended_at is None


def remove(user: User) -> None:
    organizations.remove_member(Membership.objects.get(user=user), TESTS)


def demote(user: User) -> None:
    place = Membership.objects.get(user=user)
    organizations.set_member(place.organization, user, Role.VIEWER, TESTS)


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def delete(user: User) -> None:
    user.delete()


LOSSES = pytest.mark.parametrize("lose", [remove, demote, deactivate, delete])


@LOSSES
def test_pairing_ends_with_the_right_of_its_requester(
    connection: Connection, hand: FakeWorker, alice: User, lose: object
) -> None:
    attempt = pair(connection, hand, Caller(alice).actor)
    assert is_open(attempt)
    lose(alice)  # type: ignore[operator]
    assert not is_open(attempt)
    connection.refresh_from_db()
    assert connection.state == State.DISCONNECTED
    assert attempt.outcome == PairingAttempt.Outcome.CANCELLED


@LOSSES
def test_owner_link_ends_with_the_right_of_its_maker(
    connection: Connection, alice: User, lose: object
) -> None:
    link, _secret = actions.make_owner_link(connection.pk, Caller(alice).actor)
    lose(alice)  # type: ignore[operator]
    assert OwnerLink.objects.get(pk=link.pk).revoked_at is not None


def test_owner_link_of_somebody_else_stays_open(
    connection: Connection, hand: FakeWorker, alice: User, organization: Organization
) -> None:
    link, secret = actions.make_owner_link(connection.pk, Caller(alice).actor)
    actions.use_owner_link(link, f"{secret}.one", "192.0.2.9")
    actions.end_pairing(hand.show_code(connection)[0], Reason.CODES_EXPIRED)
    owner = member("olivia", organization, Role.OWNER)
    newer, _secret = actions.make_owner_link(connection.pk, Caller(owner).actor)
    remove(alice)
    assert OwnerLink.objects.get(pk=newer.pk).is_open


@LOSSES
def test_pairing_through_an_owner_link_ends_with_the_right_of_its_maker(
    connection: Connection, hand: FakeWorker, alice: User, lose: object
) -> None:
    link, secret = actions.make_owner_link(connection.pk, Caller(alice).actor)
    actions.use_owner_link(link, f"{secret}.one", "192.0.2.9")
    attempt = hand.show_code(connection)[1]
    lose(alice)  # type: ignore[operator]
    assert not is_open(attempt)


def test_pairing_by_token_ends_when_the_token_is_revoked(
    connection: Connection, hand: FakeWorker, alice: User, organization: Organization
) -> None:
    parent, _ = organizations.create_token(alice, "parent", TESTS)
    made_with = Caller(alice, parent).actor
    child, _ = organizations.create_token(alice, "child", made_with)
    attempt = pair(connection, hand, Caller(alice, child).actor)
    organizations.revoke_token(parent, TESTS)
    assert not is_open(attempt)


def test_pairing_by_organization_token_ends_with_the_right_of_its_maker(
    connection: Connection, hand: FakeWorker, organization: Organization
) -> None:
    owner = member("olivia", organization, Role.OWNER)
    token, _ = organizations.create_token(owner, "shop", TESTS, organization=organization)
    attempt = pair(connection, hand, Caller(owner, token).actor)
    remove(owner)
    assert not is_open(attempt)


def test_pairing_goes_on_while_the_right_remains(
    connection: Connection,
    hand: FakeWorker,
    alice: User,
    bob: User,
    organization: Organization,
    other_organization: Organization,
) -> None:
    organizations.set_member(other_organization, alice, Role.OPERATOR, TESTS)
    attempt = pair(connection, hand, Caller(alice).actor)
    other, _ = organizations.create_token(alice, "another", TESTS)
    organizations.revoke_token(other, TESTS)
    remove(bob)
    organizations.remove_member(other_organization.memberships.get(user=alice), TESTS)
    organizations.set_member(organization, alice, Role.OWNER, TESTS)
    organizations.set_member(organization, alice, Role.OPERATOR, TESTS)
    assert is_open(attempt)


def test_linked_connection_stays_linked(
    connection: Connection, hand: FakeWorker, alice: User
) -> None:
    actions.request_reconnect(connection.pk, Caller(alice).actor)
    hand.link(connection)
    remove(alice)
    connection.refresh_from_db()
    assert connection.state == State.CONNECTED


def test_lost_right_during_a_fresh_code_resumes_the_saved_login(
    connection: Connection, hand: FakeWorker, alice: User
) -> None:
    actions.request_reconnect(connection.pk, TESTS)
    fence = hand.link(connection)
    actions.record_event(fence, Reason.LOGIN_STILL_REFUSED)
    actions.request_reconnect(connection.pk, Caller(alice).actor, fresh_code=True)
    connection.refresh_from_db()
    assert connection.fresh_code
    store = connection.store_name
    remove(alice)
    connection.refresh_from_db()
    assert (connection.store_name, connection.fresh_code, connection.is_pairing) == (
        store,
        False,
        False,
    )


def test_request_after_a_lost_right_is_denied(connection: Connection, alice: User) -> None:
    actor = Caller(alice).actor
    Membership.objects.filter(user=alice).update(role=Role.VIEWER)
    owner = member("olivia", connection.organization, Role.OWNER)
    made, _secret = actions.make_owner_link(connection.pk, Caller(owner).actor)
    for request in (
        actions.request_reconnect,
        actions.request_disconnect,
        actions.request_self_test,
        actions.make_owner_link,
        actions.revoke_owner_link,
    ):
        with pytest.raises(PermissionDenied):
            request(connection.pk, actor)
    assert not connection.attempts.exists() and not connection.events.exists()
    assert OwnerLink.objects.get() == made and OwnerLink.objects.get().is_open


def test_revoking_a_persons_keys_ends_tokens_links_and_pairings(
    connection: Connection, hand: FakeWorker, organization: Organization
) -> None:
    owner = member("olivia", organization, Role.OWNER)
    organizations.create_token(owner, "shop", TESTS, organization=organization)
    own, _ = organizations.create_token(owner, "laptop", TESTS)
    link, secret = actions.make_owner_link(connection.pk, Caller(owner).actor)
    actions.use_owner_link(link, f"{secret}.one", "192.0.2.9")
    attempt = hand.show_code(connection)[1]
    assert actions.revoke_keys(owner, organization, TESTS) == (1, 1)
    assert not is_open(attempt)
    assert list(ApiToken.objects.filter(revoked_at=None)) == [own]
    assert actions.revoke_keys(owner, organization, TESTS) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_pairing_requested_during_a_removal_ends() -> None:
    for turn in range(ROUNDS):
        organization = Organization.objects.create(name=f"Acme {turn}")
        connection = Connection.objects.of(organization)
        user = member(f"a{turn}", organization, Role.OPERATOR)
        place = organization.memberships.get()
        request = partial(actions.request_reconnect, connection.pk, Caller(user).actor)

        def asked(request: object = request) -> bool:
            try:
                request()  # type: ignore[operator]
            except PermissionDenied:
                return False
            return True

        at_the_same_time(partial(organizations.remove_member, place, TESTS), asked)
        connection.refresh_from_db()
        assert not connection.is_pairing


@pytest.mark.django_db(transaction=True)
def test_pairing_requested_during_a_deactivation_ends() -> None:
    for turn in range(ROUNDS):
        organization = Organization.objects.create(name=f"Acme {turn}")
        connection = Connection.objects.of(organization)
        user = member(f"a{turn}", organization, Role.OPERATOR)
        actor = Caller(User.objects.get(pk=user.pk)).actor

        def asked(pk: int = connection.pk, actor: Actor = actor) -> bool:
            try:
                actions.request_reconnect(pk, actor)
            except PermissionDenied:
                return False
            return True

        at_the_same_time(partial(deactivate, user), asked)
        connection.refresh_from_db()
        assert not connection.is_pairing
