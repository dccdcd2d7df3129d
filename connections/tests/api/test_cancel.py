"""Cancelling: only a pairing, and only while it is in progress."""

import pytest
from django.contrib.auth.models import User

from connections import actions
from connections.actions import NothingToCancel
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, Method, PairingAttempt
from connections.tests.support.fake_worker import FakeWorker
from connections.tests.support.rows import everything
from organizations.access import Actor


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor("alice", alice)


def test_cancel_ends_the_attempt_and_adds_an_event(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, actor)
    hand.show_code(connection)
    asked = actions.request_cancel(connection.pk, actor)
    assert (asked.desired, asked.state) == (Desired.DISCONNECTED, State.DISCONNECTED)
    assert (asked.reason, asked.logout_pending) == (Reason.PAIRING_CANCELLED, False)
    attempt = PairingAttempt.objects.get()
    assert (attempt.outcome, attempt.code) == (PairingAttempt.Outcome.CANCELLED, "")
    line = connection.events.first()
    assert line is not None and (line.observation, line.actor) == ("cancel_requested", "alice")


def test_cancel_without_a_pairing_is_refused(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    for prepare in (
        lambda: None,
        lambda: actions.request_reconnect(connection.pk, actor) and hand.link(connection),
    ):
        prepare()
        before = everything()
        with pytest.raises(NothingToCancel):
            actions.request_cancel(connection.pk, actor)
        assert everything() == before


def test_request_with_another_method_replaces_the_pairing(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    by_qr = actions.request_reconnect(connection.pk, actor)
    hand.show_code(connection)
    by_phone = actions.request_reconnect(connection.pk, actor, Method.PHONE, "5511987654321")
    assert by_phone.generation == by_qr.generation + 1
    again = actions.request_reconnect(connection.pk, actor, Method.PHONE, "5511987654321")
    assert again.generation == by_phone.generation
