"""Runs: many connections at once, one after the other, with the rights of whoever asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from connections import actions, bulk
from connections.actions.bulk import REQUEST_INTERVAL, REQUEST_TIMEOUT
from connections.bulk import MAX_BULK_PAIRINGS
from connections.lifecycle import AnyObservation, Desired, Observation, Reason
from connections.models import BulkItem, BulkRun, Connection, ConnectionEvent, PairingAttempt
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import Actor, for_user
from organizations.models import Membership, Organization

Action, Result, Problem = BulkRun.Action, BulkItem.Result, BulkItem.Problem
LONG_AGO = timedelta(hours=1)


class Time:
    """Passes as a test says."""

    def __init__(self) -> None:
        # Ahead of what the database fills in by itself.
        self.at = timezone.now() + timedelta(minutes=1)

    def now(self) -> datetime:
        return self.at

    def pass_by(self, lasts: timedelta) -> None:
        self.at += lasts


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    time = Time()
    monkeypatch.setattr(timezone, "now", time.now)
    yield time


@pytest.fixture
def hand(time: Time, db: None) -> FakeWorker:
    return FakeWorker()


@pytest.fixture
def four(alice: User, hand: FakeWorker) -> list[Connection]:
    """Four of Alice's that were linked and then dropped."""
    return [dropped(alice, hand, number) for number in range(4)]


@pytest.fixture
def many(alice: User, four: list[Connection], hand: FakeWorker) -> list[Connection]:
    """Twelve of Alice's that were linked and then dropped."""
    return four + [dropped(alice, hand, number) for number in range(4, 12)]


def dropped(user: User, hand: FakeWorker, number: int) -> Connection:
    organization = Organization.objects.create(name=f"Shop {number:02}")
    Membership.objects.create(user=user, organization=organization, role=Membership.Role.OPERATOR)
    connection = Connection.objects.of(organization)
    actions.request_reconnect(connection.pk, Actor("the tests"))
    fence, attempt = hand.show_code(connection)
    actions.accept_code(fence, attempt.pk)
    actions.link(fence, attempt, f"5511900000{number:03}")
    actions.record_event(fence, Reason.TAKEN_OVER)
    return connection


def begin(user: User, connections: list[Connection], action: str = Action.RECONNECT) -> BulkRun:
    rows = Connection.objects.filter(pk__in=[row.pk for row in connections])
    chosen = rows.select_related("organization", "worker").order_by("pk")
    return actions.start_run(for_user(user, "192.0.2.7"), bulk.plan(for_user(user), action, chosen))


def step(hand: FakeWorker, time: Time, times: int = 1) -> None:
    """The worker's duty, once for each turn of a run."""
    for _ in range(times):
        time.pass_by(REQUEST_INTERVAL)
        hand.live()
        actions.advance_runs()


def resume(hand: FakeWorker, item: BulkItem) -> None:
    """What a worker does about a request, when the saved credentials still work."""
    fence = hand.begin(item.connection)
    actions.record_event(fence, Observation.RESUME_STARTED)
    actions.record_event(fence, Reason.RESUMED)


def results(run: BulkRun) -> list[str]:
    return list(run.items.values_list("result", flat=True))


def of(run: BulkRun, connection: Connection) -> BulkItem:
    return run.items.get(connection=connection)


def over(run: BulkRun) -> bool:
    run.refresh_from_db()
    return run.ended_at is not None


# --- From the request to the end -----------------------------------------------------------------


def test_run_requests_each_connection_and_saves_its_result(
    many: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, many)
    assert results(run) == ["waiting"] * 12
    for done in range(1, 13):
        step(hand, time)
        (asked,) = run.items.filter(result=Result.ASKED)
        assert results(run).count("waiting") == 12 - done
        resume(hand, asked)
        assert not over(run)
    step(hand, time)
    assert results(run) == ["done"] * 12 and over(run)
    assert not actions.advance_runs()


def test_each_request_of_a_run_names_its_person_in_the_history(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    time.pass_by(LONG_AGO)
    run = begin(alice, four[:1])
    step(hand, time)
    event = ConnectionEvent.objects.filter(connection=four[0], at__gte=run.created_at).get()
    assert event.observation == Observation.RECONNECT_REQUESTED
    assert (event.actor, event.user, event.address) == ("alice", alice, "192.0.2.7")


def test_requests_of_a_run_are_spaced(
    many: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, many, Action.DISCONNECT)
    step(hand, time)
    for _ in range(5):
        actions.advance_runs()
    assert results(run).count("asked") == 1
    step(hand, time, 11)
    assert results(run) == ["asked"] * 12


def test_unfinished_reconnects_are_limited(
    many: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, many)
    step(hand, time, 20)
    assert results(run) == ["asked"] * MAX_BULK_PAIRINGS + ["waiting"] * (12 - MAX_BULK_PAIRINGS)
    resume(hand, run.items.filter(result=Result.ASKED)[0])
    step(hand, time, 20)
    assert results(run).count("asked") == MAX_BULK_PAIRINGS
    assert results(run).count("done") == 1


def test_pairings_of_a_run_count_as_unfinished_reconnects(
    many: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, many)
    step(hand, time, MAX_BULK_PAIRINGS)
    paired = [pair_after_all(hand, item) for item in run.items.filter(result=Result.ASKED)]
    step(hand, time, 10)
    assert results(run).count("scan") == MAX_BULK_PAIRINGS
    assert results(run).count("asked") == 0, "five codes wait to be scanned"
    assert "codes wait for a phone" in bulk.progress(run, for_user(alice))["waiting"]
    actions.record_event(paired[0], Reason.CODES_EXPIRED)
    step(hand, time, 10)
    assert results(run).count("asked") == results(run).count("failed") == 1
    assert bulk.progress(run, for_user(alice))["waiting"]
    attempt = paired_attempt(paired[1])
    actions.record_event(paired[1], Observation.CODE_ACCEPTED)
    actions.link(paired[1], attempt, "5511900009999")
    step(hand, time, 10)
    assert results(run).count("done") == 1 and results(run).count("asked") == 2


def pair_after_all(hand: FakeWorker, item: BulkItem) -> actions.Fence:
    """The saved credentials turn out to be worthless, so a code is shown."""
    fence = hand.begin(item.connection)
    actions.record_event(fence, Observation.RESUME_STARTED)
    actions.record_event(fence, Reason.FORGOTTEN)
    attempt = actions.start_pairing(fence, timedelta(seconds=200))
    actions.show_code(fence, attempt.pk, "a code", 1, 6, timedelta(seconds=60))
    return fence


def paired_attempt(fence: actions.Fence) -> PairingAttempt:
    return PairingAttempt.objects.get(connection=fence.connection_id, ended_at=None)


def test_two_runs_alternate(
    many: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    first = begin(alice, many[:6], Action.DISCONNECT)
    second = begin(alice, many[6:], Action.DISCONNECT)
    for _ in range(4):
        time.pass_by(REQUEST_INTERVAL)
        actions.advance_runs()
        actions.advance_runs()
    assert results(first).count("asked") == results(second).count("asked") == 4


def test_disconnect_is_done_when_the_credentials_are_deleted(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, four[:2], Action.DISCONNECT)
    step(hand, time, 3)
    assert results(run) == ["asked", "asked"]
    for connection, seen in zip(
        four, (Reason.DISCONNECTED, Reason.DISCONNECTED_UNCONFIRMED), strict=False
    ):
        actions.forget_credentials(hand.begin(connection), seen)
    step(hand, time)
    assert results(run) == ["done", "done"] and over(run)
    assert [item.reason for item in run.items.all()] == ["disconnected", "disconnected_untold"]
    four[0].refresh_from_db()
    assert (four[0].desired, four[0].store_name) == (Desired.DISCONNECTED, "")


@pytest.mark.parametrize(
    ("seen", "result"),
    [
        (Reason.UNREACHABLE, "retrying"),
        (Reason.LOGIN_REFUSED, "retrying"),
        (Reason.CREDENTIALS_DAMAGED, "failed"),
        (Reason.SESSION_BROKE, "failed"),
    ],
)
def test_failed_item_shows_the_reason(
    four: list[Connection],
    alice: User,
    hand: FakeWorker,
    time: Time,
    seen: AnyObservation,
    result: str,
) -> None:
    run = begin(alice, four[:1])
    step(hand, time)
    fence = hand.begin(four[0])
    actions.record_event(fence, Observation.RESUME_STARTED)
    step(hand, time)
    assert results(run) == ["asked"]
    actions.record_event(fence, seen)
    step(hand, time)
    assert results(run) == [result] and over(run)
    four[0].refresh_from_db()
    assert bulk.result_sentence(of(run, four[0])) == four[0].reason_text.full


def test_newer_request_of_somebody_else_supersedes_the_item(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, four[:1])
    step(hand, time)
    actions.request_disconnect(four[0].pk, Actor("bob"))
    step(hand, time)
    assert of(run, four[0]).problem == Problem.SUPERSEDED and over(run)


def test_request_without_a_result_times_out(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, four[:1])
    step(hand, time)
    time.pass_by(REQUEST_TIMEOUT - 3 * REQUEST_INTERVAL)
    step(hand, time)
    assert results(run) == ["asked"]
    step(hand, time, 3)
    assert of(run, four[0]).problem == Problem.TIMED_OUT and over(run)


# --- What is left alone --------------------------------------------------------------------------


def test_connection_without_a_saved_login_is_not_requested(
    four: list[Connection], connection: Connection, alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, [*four[:1], connection])
    step(hand, time, 3)
    assert of(run, connection).result == Result.PHONE
    connection.refresh_from_db()
    assert connection.desired == Desired.DISCONNECTED and not connection.events.exists()


def test_senseless_action_is_skipped_with_its_problem(
    many: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    connected, banned, inactive, busy, leaving = many[:5]
    for connection in (connected, banned, busy):
        actions.request_reconnect(connection.pk, Actor("bob"))
    actions.record_event(hand.begin(connected), Reason.RESUMED)
    until = time.now() + timedelta(hours=2)
    fence = hand.begin(banned)
    actions.record_event(fence, Reason.TEMPORARILY_BANNED, retry_at=until)
    Organization.objects.filter(pk=inactive.pk).update(deactivated_at=time.now())
    actions.request_disconnect(leaving.pk, Actor("bob"))
    run = begin(alice, many[:6])
    assert {item.connection_id: item.problem for item in run.items.all()} == {
        connected.pk: Problem.CONNECTED,
        banned.pk: Problem.BANNED,
        inactive.pk: Problem.INACTIVE,
        busy.pk: Problem.CONNECTING,
        leaving.pk: Problem.DISCONNECTING,
        many[5].pk: "",
    }


def test_plan_without_requests_starts_no_run(connection: Connection, alice: User) -> None:
    for action in Action:
        with pytest.raises(actions.NothingToDo):
            begin(alice, [connection], action)
    assert not BulkRun.objects.exists()


def test_change_after_the_confirmation_skips_the_item(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, four[:4])
    actions.request_reconnect(four[0].pk, Actor("bob"))
    Organization.objects.filter(pk=four[1].pk).update(deactivated_at=time.now())
    Connection.objects.filter(pk=four[2].pk).update(store_name="")
    step(hand, time, 4)
    assert [(item.result, item.problem) for item in run.items.all()] == [
        ("skipped", "connecting"),
        ("skipped", "inactive"),
        ("phone", ""),
        ("asked", ""),
    ]


# --- Whose rights count --------------------------------------------------------------------------


def test_lost_right_skips_the_remaining_items(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, four[:3])
    places = Membership.objects.filter(user=alice)
    places.filter(organization=four[0].pk).delete()
    places.filter(organization=four[1].pk).update(role=Membership.Role.VIEWER)
    step(hand, time, 3)
    assert [item.problem for item in run.items.all()] == [Problem.GONE, Problem.NO_RIGHT, ""]
    assert results(run) == ["skipped", "skipped", "asked"]


@pytest.mark.parametrize("lost", ["is_active", "is_staff"])
def test_run_of_a_person_who_is_not_staff_any_more_is_skipped(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time, lost: str
) -> None:
    time.pass_by(LONG_AGO)
    run = begin(alice, four[:2])
    User.objects.filter(pk=alice.pk).update(**{lost: False})
    step(hand, time, 2)
    assert results(run) == ["skipped", "skipped"] and over(run)
    assert not ConnectionEvent.objects.filter(at__gte=run.created_at).exists()


def test_plan_of_a_viewer_skips_everything(four: list[Connection], bob: User) -> None:
    Membership.objects.create(
        user=bob, organization=four[0].organization, role=Membership.Role.VIEWER
    )
    found = bulk.plan(for_user(bob), Action.RECONNECT, [four[0]])
    assert found.skipped == {Problem.NO_RIGHT: [four[0]]} and not found.to_run


# --- What does not end it ------------------------------------------------------------------------


def test_run_goes_on_after_a_restart(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, four[:3])
    step(hand, time)
    actions.stop_worker(hand.worker)
    time.pass_by(LONG_AGO)
    successor = FakeWorker()
    step(successor, time)
    assert results(run) == ["asked", "asked", "waiting"], "a new worker gets its time"
    resume(successor, of(run, four[0]))
    step(successor, time)
    assert results(run) == ["done", "asked", "asked"]


def test_stop_leaves_waiting_items_unrequested(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time
) -> None:
    run = begin(alice, four[:3])
    step(hand, time)
    actions.stop_run(run.pk)
    assert results(run) == ["asked", "stopped", "stopped"] and not over(run)
    resume(hand, of(run, four[0]))
    step(hand, time, 3)
    assert results(run) == ["done", "stopped", "stopped"] and over(run)
    stopped_at = run.stopped_at
    actions.stop_run(run.pk)
    run.refresh_from_db()
    assert run.stopped_at == stopped_at


def test_rate_limited_item_is_tried_later(
    four: list[Connection], alice: User, hand: FakeWorker, time: Time, settings: Settings
) -> None:
    settings.RECONNECTS_PER_CALLER = 2
    run = begin(alice, four[:3])
    for _ in range(3):
        step(hand, time)
        for asked in run.items.filter(result=Result.ASKED):
            resume(hand, asked)
    step(hand, time)
    assert results(run) == ["done", "done", "waiting"] and not over(run)
    assert of(run, four[2]).problem == Problem.TOO_MANY
    time.pass_by(timedelta(minutes=10))
    step(hand, time)
    assert of(run, four[2]).result == Result.ASKED


def test_unexpected_error_fails_one_item_and_not_the_run(
    four: list[Connection],
    alice: User,
    hand: FakeWorker,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(connection_id: int, actor: Actor) -> Connection:
        if connection_id == four[0].pk:
            raise ZeroDivisionError
        return actions.request_reconnect(connection_id, actor)

    monkeypatch.setattr("connections.actions.bulk.request_reconnect", broken)
    run = begin(alice, four[:2])
    step(hand, time, 2)
    assert [item.problem for item in run.items.all()] == [Problem.BROKE, ""]
    assert results(run) == ["failed", "asked"]
    assert "a bulk request failed" in caplog.text


def test_every_result_and_problem_has_a_sentence(
    four: list[Connection], alice: User, hand: FakeWorker
) -> None:
    run = begin(alice, four[:1])
    item = of(run, four[0])
    for problem in Problem:
        item.problem = problem
        assert bulk.result_sentence(item).endswith(".")
    item.problem = ""
    for result, reason in (
        ("done", Reason.RESUMED),
        ("scan", Reason.WAITING_FOR_SCAN),
        ("failed", Reason.CREDENTIALS_DAMAGED),
        ("retrying", Reason.UNREACHABLE),
        ("phone", ""),
        ("stopped", ""),
    ):
        item.result, item.reason = result, reason
        assert bulk.result_sentence(item).endswith(".")
