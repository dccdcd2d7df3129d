"""People's requests: one at a time, each with an event in the history."""

import pytest
from django.contrib.auth.models import User

from connections import actions
from connections.actions import AlreadyConnected
from connections.lifecycle import AnyObservation, Desired, Observation, Reason, State
from connections.models import Connection, PairingAttempt
from connections.status import read_status
from connections.tests.support.fake_worker import NUMBER, FakeWorker, overdue
from connections.tests.support.rows import everything
from organizations.access import Actor


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor("alice", alice)


def reconnect(connection: Connection, actor: Actor) -> Connection:
    return actions.request_reconnect(connection.pk, actor)


def disconnect(connection: Connection, actor: Actor) -> Connection:
    return actions.request_disconnect(connection.pk, actor)


def test_reconnect_saves_the_requester(connection: Connection, actor: Actor) -> None:
    asked = reconnect(connection, actor)
    assert (asked.desired, asked.generation, asked.started_generation) == (Desired.CONNECTED, 1, 0)
    assert (asked.state, asked.reason) == (State.CONNECTING, Reason.REQUESTED)
    assert asked.requested_by == "alice"
    assert asked.since > connection.since
    (line,) = connection.events.all()
    assert (line.observation, line.actor, line.user) == ("reconnect_requested", "alice", actor.user)
    assert (line.state_before, line.state, line.reason) == (
        State.DISCONNECTED,
        State.CONNECTING,
        Reason.REQUESTED,
    )


def test_repeated_reconnect_is_ignored_before_a_worker_starts(
    connection: Connection, actor: Actor
) -> None:
    reconnect(connection, actor)
    before = everything()
    assert reconnect(connection, Actor("someone else")).generation == 1
    assert everything() == before


def test_repeated_reconnect_lets_the_pairing_go_on(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    hand.show_code(connection)
    before = everything()
    assert reconnect(connection, actor).generation == 1
    assert everything() == before


def test_reconnect_replaces_the_pairing_of_a_dead_worker(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    _, attempt = hand.show_code(connection)
    hand.die()
    assert reconnect(connection, actor).generation == 2
    attempt.refresh_from_db()
    assert attempt.outcome == PairingAttempt.Outcome.CANCELLED


def test_reconnect_leaves_an_accepted_code_to_the_next_worker(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    """Else the login that the phone has just made would be given up for another code."""
    reconnect(connection, actor)
    fence, attempt = hand.show_code(connection)
    actions.record_event(fence, Observation.CODE_ACCEPTED)
    hand.die()
    before = everything()
    assert reconnect(connection, actor).generation == 1
    assert everything() == before
    attempt.refresh_from_db()
    assert attempt.outcome == ""


def test_reconnect_replaces_a_pairing_past_its_deadline(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    _, attempt = hand.show_code(connection)
    overdue(attempt)
    assert reconnect(connection, actor).generation == 2


@pytest.mark.parametrize("observation", [Reason.LINK_LOST, Reason.TAKEN_OVER, Reason.SESSION_BROKE])
def test_reconnect_of_a_down_connection_raises_the_generation(
    connection: Connection, actor: Actor, hand: FakeWorker, observation: AnyObservation
) -> None:
    reconnect(connection, actor)
    fence = hand.link(connection)
    actions.record_event(fence, observation)
    asked = reconnect(connection, actor)
    assert (asked.generation, asked.state) == (2, State.CONNECTING)
    assert asked.store_name, "with the saved credentials"


def test_reconnect_of_a_connected_connection_is_refused(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    hand.link(connection)
    before = everything()
    with pytest.raises(AlreadyConnected):
        reconnect(connection, actor)
    assert everything() == before


def test_reconnect_after_a_workers_death_is_accepted(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    hand.link(connection)
    hand.die()
    assert read_status(connection.pk).state == State.RECONNECTING
    asked = reconnect(connection, actor)
    assert (asked.generation, asked.state) == (2, State.CONNECTING)
    assert asked.store_name, "with the saved credentials"
    assert reconnect(connection, actor).generation == 2


def test_disconnect_ends_the_pairing_and_removes_its_code(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    _, attempt = hand.show_code(connection)
    asked = disconnect(connection, actor)
    assert (asked.desired, asked.logout_pending, asked.generation) == (
        Desired.DISCONNECTED,
        True,
        2,
    )
    assert (asked.state, asked.reason) == (State.AWAITING_SCAN, Reason.DISCONNECTING)
    attempt.refresh_from_db()
    assert (attempt.code, attempt.code_expires_at) == ("", None)
    assert attempt.outcome == PairingAttempt.Outcome.CANCELLED
    assert attempt.ended_at is not None


def test_disconnect_keeps_the_credentials_until_the_logout(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    hand.link(connection)
    asked = disconnect(connection, actor)
    assert (asked.number, bool(asked.store_name)) == (NUMBER, True)


def test_repeated_disconnect_is_ignored(connection: Connection, actor: Actor) -> None:
    disconnect(connection, actor)
    before = everything()
    assert disconnect(connection, actor).generation == 1
    assert everything() == before


def test_reconnect_during_a_disconnect_keeps_the_logout_pending(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    hand.link(connection)
    disconnect(connection, actor)
    asked = reconnect(connection, actor)
    assert (asked.desired, asked.logout_pending) == (Desired.CONNECTED, True)
    assert (asked.state, asked.generation) == (State.CONNECTING, 3)


def test_every_request_adds_an_event(
    connection: Connection, actor: Actor, hand: FakeWorker
) -> None:
    reconnect(connection, actor)
    hand.begin(connection)
    hand.die()
    reconnect(connection, actor)
    requests = connection.events.filter(observation=Observation.RECONNECT_REQUESTED)
    assert [line.actor for line in requests] == ["alice", "alice"]
