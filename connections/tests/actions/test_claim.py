"""A claim recovers the state that an interrupted task left."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections import actions
from connections.lifecycle import AnyObservation, Reason, State
from connections.models import Connection, PairingAttempt, Worker
from connections.status import read_status
from connections.tests.support.fake_worker import NUMBER, FakeWorker, nobody, overdue
from connections.tests.support.rows import everything
from organizations.access import Actor

ALICE = Actor("alice")


@pytest.fixture
def requested(connection: Connection) -> Connection:
    return actions.request_reconnect(connection.pk, ALICE)


def reread(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


def test_claim_restarts_a_pairing_before_its_deadline(
    requested: Connection, hand: FakeWorker
) -> None:
    _, attempt = hand.show_code(requested)
    FakeWorker().claim(requested)
    connection = reread(requested)
    assert (connection.state, connection.reason) == (State.CONNECTING, Reason.CODE_LOST)
    assert connection.needs_task and connection.started_generation < connection.generation
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.code) == (PairingAttempt.Outcome.INTERRUPTED, "")


def test_claim_ends_a_pairing_past_its_deadline_as_interrupted(
    requested: Connection, hand: FakeWorker
) -> None:
    _, attempt = hand.show_code(requested)
    overdue(attempt)
    FakeWorker().claim(requested)
    connection = reread(requested)
    assert (connection.state, connection.reason) == (
        State.ACTION_NEEDED,
        Reason.PAIRING_INTERRUPTED,
    )
    assert not connection.needs_task
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.code) == (PairingAttempt.Outcome.INTERRUPTED, "")


def test_claim_of_a_linked_connection_resumes_it(requested: Connection, hand: FakeWorker) -> None:
    hand.link(requested)
    before = reread(requested)
    FakeWorker().claim(requested)
    connection = reread(requested)
    assert (connection.state, connection.reason) == (State.RECONNECTING, Reason.SERVICE_RESTARTED)
    assert (connection.store_name, connection.number) == (before.store_name, NUMBER)
    assert connection.claim == before.claim + 1


def test_claim_adopts_the_store_of_a_phone_that_had_accepted_the_code(
    requested: Connection, hand: FakeWorker
) -> None:
    fence, attempt = hand.show_code(requested)
    actions.accept_code(fence, attempt.pk)
    asked = []

    def linked_number(connection_id: int, store: str) -> str:
        asked.append((connection_id, store))
        return NUMBER

    actions.claim(requested.pk, FakeWorker().worker, linked_number)
    assert asked == [(requested.pk, attempt.store_name)]
    connection = reread(requested)
    assert (connection.store_name, connection.number) == (attempt.store_name, NUMBER)
    assert (connection.state, connection.reason) == (State.RECONNECTING, Reason.SERVICE_RESTARTED)
    attempt.refresh_from_db()
    assert attempt.outcome == PairingAttempt.Outcome.LINKED
    line = requested.events.first()
    assert line is not None and line.attempt == attempt


def test_claim_restarts_a_request_without_an_attempt(
    requested: Connection, hand: FakeWorker
) -> None:
    hand.begin(requested)
    FakeWorker().claim(requested)
    connection = reread(requested)
    assert (connection.state, connection.reason) == (State.CONNECTING, Reason.CODE_LOST)
    assert connection.needs_task


def test_claim_during_a_ban_keeps_the_retry_time(requested: Connection, hand: FakeWorker) -> None:
    fence = hand.link(requested)
    until = timezone.now() + timedelta(hours=1)
    actions.record_event(fence, Reason.TEMPORARILY_BANNED, "until then", until)
    before = everything()["ConnectionEvent"]
    FakeWorker().claim(requested)
    connection = reread(requested)
    assert (connection.reason, connection.banned_until) == (Reason.TEMPORARILY_BANNED, until)
    assert everything()["ConnectionEvent"] == before


def test_claim_leaves_a_request_that_was_not_started(requested: Connection) -> None:
    history = everything()["ConnectionEvent"]
    actions.claim(requested.pk, FakeWorker().worker, nobody)
    connection = reread(requested)
    assert (connection.state, connection.reason) == (State.CONNECTING, Reason.REQUESTED)
    assert connection.claim == 1
    assert everything()["ConnectionEvent"] == history


def test_claim_leaves_a_disconnect_in_progress(requested: Connection, hand: FakeWorker) -> None:
    hand.link(requested)
    actions.request_disconnect(requested.pk, ALICE)
    hand.begin(requested)
    before = reread(requested)
    FakeWorker().claim(requested)
    connection = reread(requested)
    assert (connection.state, connection.reason) == (before.state, Reason.DISCONNECTING)
    assert connection.logout_pending


@pytest.mark.parametrize("observation", [Reason.CODES_EXPIRED, Reason.SESSION_BROKE])
def test_claim_leaves_a_connection_that_needs_action(
    requested: Connection, hand: FakeWorker, observation: AnyObservation
) -> None:
    fence, _ = hand.show_code(requested)
    actions.record_event(fence, observation)
    before = reread(requested)
    FakeWorker().claim(requested)
    connection = reread(requested)
    assert (connection.state, connection.reason) == (before.state, before.reason)


def test_single_worker_stops_earlier_workers_at_its_start(hand: FakeWorker) -> None:
    newcomer = FakeWorker().worker
    hand.worker.refresh_from_db()
    assert hand.worker.stopped_at is not None
    assert not hand.worker.alive
    assert newcomer.alive
    assert list(Worker.objects.filter(stopped_at=None)) == [newcomer]


@pytest.mark.parametrize("drained", [True, False])
@pytest.mark.django_db
def test_worker_that_lost_its_lease_stays_drained(drained: bool) -> None:
    lost = actions.start_worker("w", 3, alone=False)
    actions.drain_worker(lost.pk, drained)  # The worker's own object does not know of it.
    actions.stop_worker(lost)  # By others, as its heartbeat came too late.
    again = actions.start_worker("w", 3, alone=False, replaces=lost)
    again.refresh_from_db()
    assert (again.draining_since is not None) == drained
    assert actions.start_worker("other", 3, alone=False).draining_since is None


def test_worker_with_a_recent_heartbeat_is_alive(hand: FakeWorker) -> None:
    hand.die()
    hand.worker.refresh_from_db()
    assert not hand.worker.alive
    assert not Worker.any_alive()
    actions.heartbeat(hand.worker)
    hand.worker.refresh_from_db()
    assert hand.worker.alive
    assert Worker.any_alive()


def test_stopped_worker_is_not_alive_at_once(requested: Connection, hand: FakeWorker) -> None:
    hand.link(requested)
    assert read_status(requested.pk).state == State.CONNECTED
    actions.stop_worker(hand.worker)
    observed = read_status(requested.pk)
    assert (observed.state, observed.reason) == (State.RECONNECTING, Reason.WORKER_OFFLINE)
