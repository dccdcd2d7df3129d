"""The status that readers get: the row, overridden when no worker owns it."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from connections import actions
from connections.api.serializers import panel_of, snapshot
from connections.display import Panel
from connections.lifecycle import Observation, Reason, State
from connections.models import Connection, Worker
from connections.reason_texts import NextAction
from connections.status import read_status
from connections.tests.support.fake_worker import CODE, NUMBER, FakeWorker, nobody
from organizations.access import Actor

ALICE = Actor("alice")
Step = Callable[[Connection, FakeWorker], object]


def reread(hand: FakeWorker) -> Worker:
    return Worker.objects.get(pk=hand.worker.pk)


def request(connection: Connection, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, ALICE)


def prepare(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    hand.start_pairing(connection)


def show(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    hand.show_code(connection)


def accept(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    fence, attempt = hand.show_code(connection)
    actions.accept_code(fence, attempt.pk)


def link(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    hand.link(connection)


def lose(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    actions.record_event(hand.link(connection), Reason.LINK_LOST)


def resume(connection: Connection, hand: FakeWorker) -> None:
    lose(connection, hand)
    request(connection, hand)
    actions.record_event(hand.begin(connection), Observation.RESUME_STARTED)


def show_beside_a_login(connection: Connection, hand: FakeWorker) -> None:
    lose(connection, hand)
    actions.request_reconnect(connection.pk, ALICE, fresh_code=True)
    hand.show_code(connection)


def show_after_an_unlink(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    actions.record_event(hand.link(connection), Reason.LOGGED_OUT_BY_PHONE)
    show(connection, hand)


def fail(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, Reason.CODES_EXPIRED)


def leave(connection: Connection, hand: FakeWorker) -> None:
    link(connection, hand)
    actions.request_disconnect(connection.pk, ALICE)


def disconnect(connection: Connection, hand: FakeWorker) -> None:
    leave(connection, hand)
    fence = hand.begin(connection)
    actions.forget_credentials(fence, Reason.DISCONNECTED)


def leave_what_is_down(connection: Connection, hand: FakeWorker) -> None:
    fail(connection, hand)
    actions.request_disconnect(connection.pk, ALICE)


def fail_to_leave(connection: Connection, hand: FakeWorker) -> None:
    leave(connection, hand)
    actions.record_event(hand.begin(connection), Reason.SESSION_BROKE)


def do_nothing(connection: Connection, hand: FakeWorker) -> None:
    """Request nothing."""


@pytest.mark.parametrize(
    ("step", "panel", "offered"),
    [
        (do_nothing, Panel.DISCONNECTED, {"canReconnect"}),
        (request, Panel.PREPARING, {"canCancel"}),
        (prepare, Panel.PREPARING, {"canCancel"}),
        (show, Panel.CODE, {"canCancel"}),
        (accept, Panel.FINISHING, set()),
        (link, Panel.CONNECTED, {"canDisconnect"}),
        (lose, Panel.RECONNECTING, {"canReconnect", "canDisconnect"}),
        (resume, Panel.RESUMING, {"canDisconnect"}),
        (show_beside_a_login, Panel.CODE, {"canCancel", "canDisconnect"}),
        (show_after_an_unlink, Panel.CODE, {"canCancel"}),
        (fail, Panel.ACTION_NEEDED, {"canReconnect"}),
        (leave, Panel.DISCONNECTING, set()),
        (leave_what_is_down, Panel.DISCONNECTING, set()),
        (fail_to_leave, Panel.ACTION_NEEDED, {"canReconnect", "canDisconnect"}),
        (disconnect, Panel.DISCONNECTED, {"canReconnect"}),
    ],
)
def test_page_shows_one_panel_and_the_useful_buttons(
    connection: Connection, hand: FakeWorker, step: Step, panel: Panel, offered: set[str]
) -> None:
    step(connection, hand)
    buttons = ("canReconnect", "canCancel", "canDisconnect")
    data = snapshot(read_status(connection.pk), may_operate=True)
    assert (data["panel"], {name for name in buttons if data[name]}) == (panel, offered)
    viewed = snapshot(read_status(connection.pk), may_operate=False)
    assert not [name for name in buttons if viewed[name]]


def test_viewer_gets_no_code(connection: Connection, hand: FakeWorker) -> None:
    show(connection, hand)
    data = snapshot(read_status(connection.pk), may_operate=False)
    assert (data["panel"], data["pairing"]) == (Panel.HIDDEN, None)
    assert "data:image" not in str(data)


def test_operator_gets_the_code_only_as_a_picture(connection: Connection, hand: FakeWorker) -> None:
    show(connection, hand)
    data = snapshot(read_status(connection.pk), may_operate=True)
    pairing = data["pairing"]
    assert pairing["qr"].startswith("data:image/svg+xml;base64,")
    assert (pairing["codeNumber"], pairing["codeCount"], pairing["secondsInAll"]) == (1, 6, 60)
    assert 0 < pairing["secondsLeft"] <= 60
    assert CODE not in str(data)


def test_history_has_the_newest_events_first_and_a_limit(
    connection: Connection, hand: FakeWorker
) -> None:
    for _ in range(15):
        actions.request_reconnect(connection.pk, ALICE)
        actions.request_disconnect(connection.pk, ALICE)
    history = snapshot(read_status(connection.pk), may_operate=True)["history"]
    assert len(history) == 20
    assert history[0]["sentence"] == "Logging out at WhatsApp and deleting the credentials."
    assert history[0]["actor"] == "alice"
    assert history[0]["id"] > history[1]["id"]


# Without a living worker the row's state of a running task is not true any more.
@pytest.mark.parametrize(
    ("step", "state", "reason"),
    [
        (request, State.CONNECTING, Reason.WORKER_OFFLINE),
        (show, State.CONNECTING, Reason.WORKER_OFFLINE),
        (link, State.RECONNECTING, Reason.WORKER_OFFLINE),
        (lose, State.RECONNECTING, Reason.WORKER_OFFLINE),
        (leave, State.RECONNECTING, Reason.WORKER_OFFLINE),
        (fail, State.ACTION_NEEDED, Reason.CODES_EXPIRED),
        (disconnect, State.DISCONNECTED, Reason.DISCONNECTED),
        (do_nothing, State.DISCONNECTED, Reason.NEVER_CONNECTED),
    ],
)
def test_dead_worker_overrides_the_status_but_not_the_row(
    connection: Connection, hand: FakeWorker, step: Step, state: State, reason: Reason
) -> None:
    step(connection, hand)
    stored = Connection.objects.get(pk=connection.pk)
    hand.die()
    status = read_status(connection.pk)
    assert (status.state, status.reason, status.code) == (state, reason, "")
    offline = reason == Reason.WORKER_OFFLINE
    assert (panel_of(status, may_operate=True) == Panel.OFFLINE) == offline
    now = Connection.objects.get(pk=connection.pk)
    assert (now.state, now.reason) == (stored.state, stored.reason)


@pytest.mark.parametrize(
    "full", [{"capacity": 2, "sessions": 2}, {"draining_since": timezone.now()}]
)
@pytest.mark.parametrize(
    ("step", "state"),
    [
        (request, State.CONNECTING),
        (show, State.CONNECTING),
        (lose, State.RECONNECTING),
        (leave, State.RECONNECTING),
    ],
)
def test_status_says_when_no_worker_has_capacity(
    connection: Connection,
    hand: FakeWorker,
    step: Step,
    state: State,
    full: dict[str, object],
) -> None:
    step(connection, hand)
    hand.die()
    Worker.objects.filter(pk=FakeWorker().worker.pk).update(**full)
    status = read_status(connection.pk)
    assert (status.state, status.reason) == (state, Reason.NO_ROOM)
    assert panel_of(status, may_operate=True) == Panel.FULL
    assert status.reason_text.step == NextAction.CHECK_SERVER
    assert status.since == max(status.connection.since, reread(hand).heartbeat_at)
    Connection.objects.update(worker=None)
    assert read_status(connection.pk).since == status.connection.since
    FakeWorker()
    assert read_status(connection.pk).reason != Reason.NO_ROOM


def test_full_worker_serves_requests_of_its_own_connections(
    connection: Connection, hand: FakeWorker
) -> None:
    lose(connection, hand)
    Worker.objects.filter(pk=hand.worker.pk).update(capacity=1, sessions=1)
    actions.request_reconnect(connection.pk, ALICE)
    assert read_status(connection.pk).reason == Reason.REQUESTED


def test_unclaimed_connection_of_a_dead_worker_is_service_restarted(
    connection: Connection, hand: FakeWorker
) -> None:
    link(connection, hand)
    new_worker = FakeWorker()
    status = read_status(connection.pk)
    assert (status.state, status.reason) == (State.RECONNECTING, Reason.SERVICE_RESTARTED)
    actions.claim(connection.pk, new_worker.worker, nobody)
    assert not read_status(connection.pk).unowned


def test_number_is_formatted_for_people(connection: Connection, hand: FakeWorker) -> None:
    link(connection, hand)
    data = snapshot(read_status(connection.pk), may_operate=True)
    assert (data["number"], data["numberText"]) == (NUMBER, "+55 11 98765-4321")
