"""The worker's observations change the row, the attempt and the history."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from connections import actions
from connections.lifecycle import PAIRING, RULES, AnyObservation, Observation, Reason, State
from connections.models import Connection, PairingAttempt
from connections.stores import store_backend
from connections.tests.support.fake_worker import CODE, NUMBER, PAIRING_LASTS, FakeWorker
from organizations.access import Actor

ALICE = Actor("alice")
Outcome = PairingAttempt.Outcome


@pytest.fixture
def requested(connection: Connection) -> Connection:
    """A connection that Alice has asked for."""
    return actions.request_reconnect(connection.pk, ALICE)


def reread(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


def test_pairing_opens_one_attempt(requested: Connection, hand: FakeWorker) -> None:
    before = timezone.now()
    fence, first = hand.start_pairing(requested)
    second = actions.start_pairing(fence, PAIRING_LASTS)
    assert requested.open_attempt() == second
    first.refresh_from_db()
    assert first.outcome == Outcome.CANCELLED
    assert (second.started_by, second.generation) == ("alice", 1)
    assert before + PAIRING_LASTS <= second.expires_at <= timezone.now() + PAIRING_LASTS
    assert first.store_name != second.store_name, "each has a store of its own"


def test_mark_started_saves_the_generation(requested: Connection, hand: FakeWorker) -> None:
    hand.begin(requested)
    assert reread(requested).started_generation == 1


def test_pairing_after_worthless_credentials_saves_the_reason(
    requested: Connection, hand: FakeWorker
) -> None:
    fence = hand.link(requested)
    actions.record_event(fence, Reason.LINK_LOST)
    actions.request_reconnect(requested.pk, ALICE)
    fence = hand.begin(requested)
    actions.start_pairing(fence, PAIRING_LASTS, Reason.FORGOTTEN)
    connection = reread(requested)
    assert connection.store_name == ""
    assert (connection.state, connection.reason) == (State.CONNECTING, Reason.PREPARING_CODE)
    newest = [line.reason for line in requested.events.all()[:2]]
    assert newest == [Reason.PREPARING_CODE, Reason.FORGOTTEN]


def test_each_code_replaces_the_previous_one(requested: Connection, hand: FakeWorker) -> None:
    fence, attempt = hand.show_code(requested)
    attempt.refresh_from_db()
    first_code_at = attempt.first_code_at
    assert (attempt.code, attempt.code_number, attempt.code_count) == (CODE, 1, 6)
    actions.show_code(fence, attempt.pk, "the second", 2, 6, timedelta(seconds=20))
    attempt.refresh_from_db()
    assert (attempt.code, attempt.code_number) == ("the second", 2)
    assert attempt.first_code_at == first_code_at
    assert attempt.code_expires_at is not None
    assert attempt.code_expires_at <= timezone.now() + timedelta(seconds=20)
    assert reread(requested).state == State.AWAITING_SCAN
    shown = requested.events.filter(observation=Observation.CODE_SHOWN)
    assert shown.count() == 1, "the history does not count codes"


def test_link_adopts_the_store_of_the_attempt(requested: Connection, hand: FakeWorker) -> None:
    fence, attempt = hand.show_code(requested)
    actions.link(fence, attempt, NUMBER)
    connection = reread(requested)
    assert (connection.store_name, connection.number) == (attempt.store_name, NUMBER)
    assert (connection.state, connection.reason) == (State.CONNECTED, Reason.LINKED)
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.code, attempt.code_expires_at) == (Outcome.LINKED, "", None)
    line = requested.events.first()
    assert line is not None and line.attempt == attempt


def test_link_that_broke_after_the_scan_is_kept(requested: Connection, hand: FakeWorker) -> None:
    fence, attempt = hand.show_code(requested)
    actions.link(fence, attempt, NUMBER, Reason.LINK_LOST)
    connection = reread(requested)
    assert (connection.store_name, connection.state) == (attempt.store_name, State.RECONNECTING)
    attempt.refresh_from_db()
    assert attempt.outcome == Outcome.LINKED


@pytest.mark.parametrize(
    ("observation", "outcome"),
    [
        (Reason.CODES_EXPIRED, Outcome.EXPIRED),
        (Reason.PAIRING_REFUSED, Outcome.REFUSED),
        (Reason.PAIRING_UNREACHABLE, Outcome.UNREACHABLE),
        (Reason.PAIRING_CRASHED, Outcome.CRASHED),
        (Reason.PAIRING_TIMED_OUT, Outcome.TIMED_OUT),
        (Reason.PAIRING_INTERRUPTED, Outcome.INTERRUPTED),
        (Reason.CLIENT_OUTDATED, Outcome.FAILED),
        (Reason.STORE_FAILED, Outcome.FAILED),
        (Reason.SESSION_BROKE, Outcome.FAILED),
        (Reason.HOST_CRASHED, Outcome.FAILED),
    ],
)
def test_failed_pairing_ends_its_attempt(
    requested: Connection,
    hand: FakeWorker,
    observation: AnyObservation,
    outcome: PairingAttempt.Outcome,
) -> None:
    fence, attempt = hand.show_code(requested)
    actions.record_event(fence, observation)
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.code) == (outcome, "")
    assert attempt.ended_at is not None
    assert reread(requested).state not in PAIRING
    line = requested.events.first()
    assert line is not None and line.attempt == attempt


@pytest.mark.parametrize("observation", sorted(actions.GONE_AT_WHATSAPP))
def test_worthless_credentials_are_detached_but_not_deleted(
    requested: Connection, hand: FakeWorker, observation: AnyObservation
) -> None:
    fence = hand.link(requested)
    store = reread(requested).store_name
    database = Path(store_backend().create(requested.pk, store))
    database.write_text("credentials")
    actions.record_event(fence, observation)
    assert reread(requested).store_name == ""
    assert database.read_text() == "credentials"


@pytest.mark.parametrize("observation", sorted(set(RULES) - actions.GONE_AT_WHATSAPP, key=str))
def test_other_failures_keep_the_credentials(
    requested: Connection, hand: FakeWorker, observation: AnyObservation
) -> None:
    fence = hand.link(requested)
    store = reread(requested).store_name
    actions.record_event(fence, observation)
    connection = reread(requested)
    assert (connection.store_name, connection.number) == (store, NUMBER)


def test_repeated_observation_adds_no_event(requested: Connection, hand: FakeWorker) -> None:
    fence = hand.link(requested)
    actions.record_event(fence, Reason.LINK_LOST)
    since = reread(requested).since
    lines = requested.events.count()
    actions.record_event(fence, Reason.LINK_LOST)
    assert requested.events.count() == lines
    actions.record_event(fence, Reason.UNREACHABLE)
    assert requested.events.count() == lines + 1
    assert reread(requested).since == since, "since when it is in this state"


def test_detail_is_kept_until_the_next_reason(requested: Connection, hand: FakeWorker) -> None:
    fence = hand.link(requested)
    actions.record_event(fence, Reason.TEMPORARILY_BANNED, "until 2030-01-01 00:00 UTC")
    assert reread(requested).detail == "until 2030-01-01 00:00 UTC"
    actions.request_reconnect(requested.pk, ALICE)
    assert reread(requested).detail == ""
    line = requested.events.all()[1]
    assert line.detail == "until 2030-01-01 00:00 UTC"
