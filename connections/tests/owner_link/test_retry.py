"""A link for the phone's owner after an attempt without a linked phone: why, and try again."""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections import actions
from connections.lifecycle import AnyObservation, Reason
from connections.models import Connection, Method, OwnerLink
from connections.owner_link import links
from connections.owner_link.screen import screen
from connections.tests.owner_link.test_owner_links import (
    HERE,
    State,
    actor,
    afresh,
    age,
    held_by,
    made,
)
from connections.tests.support.fake_worker import NUMBER, FakeWorker
from organizations.access import Actor
from organizations.models import Organization

__all__ = ["actor", "made"]


@pytest.mark.parametrize(
    "ending",
    [Reason.CODES_EXPIRED, Reason.PAIRING_REFUSED, Reason.PAIRING_UNREACHABLE],
)
def test_failed_attempt_may_be_tried_again_until_the_link_expires(
    made: tuple[OwnerLink, str],
    connection: Connection,
    hand: FakeWorker,
    actor: Actor,
    settings: Settings,
    ending: AnyObservation,
) -> None:
    link, secret = made
    held = held_by(secret)
    actions.use_owner_link(link, held, HERE)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, ending)
    # What others begin later is nothing to this link, whether or not anyone has looked meanwhile.
    actions.request_reconnect(connection.pk, actor)
    hand.show_code(connection)
    assert afresh(link).state == State.RETRY
    told = screen(afresh(link))
    assert (told["stage"], told["qr"], told["code"]) == ("retry", None, None)
    with pytest.raises(actions.LinkOver):
        actions.use_owner_link(link, held_by(secret, "two"), HERE)
    actions.use_owner_link(link, held, HERE, Method.PHONE, NUMBER)
    assert afresh(link).state == State.IN_USE
    fence, _ = hand.start_pairing(connection)
    actions.record_event(fence, ending)

    age(link, settings.OWNER_LINK_SECONDS)
    assert afresh(link).state == State.FAILED
    assert screen(afresh(link))["stage"] == "over"
    for method in (None, Method.QR, Method.PHONE):
        with pytest.raises(actions.LinkOver):
            actions.use_owner_link(link, held, HERE, method, NUMBER)
    connection.events.update(at=timezone.now() - links.OUTCOME_SHOWN_FOR)
    assert links.find_by_cookie(held) is None


def test_link_of_a_failed_attempt_can_be_revoked_and_keeps_the_pairing_of_others(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    link, secret = made
    actions.use_owner_link(link, held_by(secret), HERE)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, Reason.CODES_EXPIRED)
    actions.request_reconnect(connection.pk, actor)
    _, attempt = hand.show_code(connection)
    assert actions.revoke_owner_link(connection.pk, actor)
    assert links.find_by_cookie(held_by(secret)) is None
    attempt.refresh_from_db()
    assert attempt.ended_at is None


def test_owner_may_cancel_and_try_again(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    link, secret = made
    held = held_by(secret)
    actions.use_owner_link(link, held, HERE)
    _, attempt = hand.show_code(connection)
    assert screen(afresh(link))["canCancel"]
    with pytest.raises(actions.LinkOver):
        actions.cancel_owner_attempt(link, held_by(secret, "two"), HERE)
    actions.cancel_owner_attempt(link, held, HERE)
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.code) == ("cancelled", "")
    told = screen(afresh(link))
    assert (told["stage"], told["sentence"], told["canCancel"]) == (
        "retry",
        "Linking was cancelled. No phone was linked.",
        False,
    )
    event = connection.events.first()
    assert event is not None
    assert (event.actor, event.address) == ("the phone's owner (link by alice)", HERE)
    # A second press does not end what somebody else began meanwhile.
    actions.request_reconnect(connection.pk, actor)
    actions.cancel_owner_attempt(link, held, HERE)
    assert Connection.objects.get(pk=connection.pk).is_pairing


def test_cancelled_code_beside_a_saved_login_can_be_tried_again(
    connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    actions.request_reconnect(connection.pk, actor)
    actions.record_event(hand.link(connection), Reason.LOGIN_STILL_REFUSED)
    link, secret = actions.make_owner_link(connection.pk, actor)
    for _ in range(2):
        actions.use_owner_link(link, held_by(secret), HERE)
        hand.show_code(connection)
        assert screen(afresh(link))["stage"] == "qr"
        actions.cancel_owner_attempt(link, held_by(secret), HERE)
        assert screen(afresh(link))["stage"] == "retry"
    assert Connection.objects.get(pk=connection.pk).reason == Reason.SAVED_LOGIN_KEPT


@pytest.mark.parametrize("used", [Reason.WRONG_NUMBER, Reason.NUMBER_IN_USE])
def test_owner_of_a_wrong_phone_is_told_why_and_no_number(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker, used: Reason
) -> None:
    link, secret = made
    expected = "12025550123"
    Organization.objects.filter(pk=connection.pk).update(expected_number=expected)
    actions.use_owner_link(link, held_by(secret), HERE)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, used, f"its number ends in {NUMBER[-4:]}")
    told = screen(afresh(link))
    assert told["stage"] == "retry" and told["hint"]
    assert ("another number" in told["sentence"]) == (used == Reason.WRONG_NUMBER)
    assert not [end for end in (expected[-4:], NUMBER[-4:]) if end in str(told)]
