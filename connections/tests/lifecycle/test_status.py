"""What a reader sees: the row, corrected by whether anyone looks after it."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from connections import actions
from connections.api.serializers import panel_of, read_status, snapshot
from connections.display import Panel
from connections.lifecycle import Observation, Reason, State
from connections.models import Connection, Worker
from connections.reason_texts import NextAction as NextStep
from connections.tests.support.fake_worker import CODE, NUMBER, FakeWorker, nobody
from organizations.access import Actor

ALICE = Actor("alice")
NextAction = Callable[[Connection, FakeWorker], object]


def reread(hand: FakeWorker) -> Worker:
    return Worker.objects.get(pk=hand.worker.pk)


def request(connection: Connection, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, ALICE)


def prepare(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    hand.begin_pairing(connection)


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


def fail(connection: Connection, hand: FakeWorker) -> None:
    request(connection, hand)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, Reason.CODES_EXPIRED)


def leave(connection: Connection, hand: FakeWorker) -> None:
    link(connection, hand)
    actions.request_disconnect(connection.pk, ALICE)


def be_gone(connection: Connection, hand: FakeWorker) -> None:
    leave(connection, hand)
    fence = hand.begin(connection)
    actions.forget_credentials(fence, Reason.DISCONNECTED)


def leave_what_is_down(connection: Connection, hand: FakeWorker) -> None:
    fail(connection, hand)
    actions.request_disconnect(connection.pk, ALICE)


def fail_to_leave(connection: Connection, hand: FakeWorker) -> None:
    leave(connection, hand)
    actions.record_event(hand.begin(connection), Reason.SESSION_BROKE)


def rest(connection: Connection, hand: FakeWorker) -> None:
    """Nothing was ever asked for."""


@pytest.mark.parametrize(
    ("step", "panel", "reconnect", "disconnect"),
    [
        (rest, Panel.DISCONNECTED, True, False),
        (request, Panel.PREPARING, False, True),
        (prepare, Panel.PREPARING, False, True),
        (show, Panel.CODE, False, True),
        (accept, Panel.FINISHING, False, True),
        (link, Panel.CONNECTED, False, True),
        (lose, Panel.RECONNECTING, True, True),
        (resume, Panel.RESUMING, False, True),
        (fail, Panel.ACTION_NEEDED, True, False),
        (leave, Panel.DISCONNECTING, False, False),
        (leave_what_is_down, Panel.DISCONNECTING, False, False),
        (fail_to_leave, Panel.ACTION_NEEDED, True, True),
        (be_gone, Panel.DISCONNECTED, True, False),
    ],
)
def test_the_page_shows_one_panel_and_the_buttons_that_help(
    connection: Connection,
    hand: FakeWorker,
    step: NextAction,
    panel: Panel,
    reconnect: bool,
    disconnect: bool,
) -> None:
    step(connection, hand)
    told = snapshot(read_status(connection.pk), may_operate=True)
    assert (told["panel"], told["canReconnect"], told["canDisconnect"]) == (
        panel,
        reconnect,
        disconnect,
    )
    looked_at = snapshot(read_status(connection.pk), may_operate=False)
    assert not looked_at["canReconnect"]
    assert not looked_at["canDisconnect"]


def test_who_may_only_look_gets_no_code(connection: Connection, hand: FakeWorker) -> None:
    show(connection, hand)
    told = snapshot(read_status(connection.pk), may_operate=False)
    assert (told["panel"], told["pairing"]) == (Panel.HIDDEN, None)
    assert "data:image" not in str(told)


def test_who_may_operate_gets_the_code_as_a_picture_only(
    connection: Connection, hand: FakeWorker
) -> None:
    show(connection, hand)
    told = snapshot(read_status(connection.pk), may_operate=True)
    pairing = told["pairing"]
    assert pairing["qr"].startswith("data:image/svg+xml;base64,")
    assert (pairing["codeNumber"], pairing["codeCount"], pairing["secondsInAll"]) == (1, 6, 60)
    assert 0 < pairing["secondsLeft"] <= 60
    assert CODE not in str(told)


def test_the_history_is_told_newest_first_and_not_without_end(
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


# Without a worker: what the row says of a running link is not true any more.
@pytest.mark.parametrize(
    ("step", "state", "reason"),
    [
        (request, State.CONNECTING, Reason.WORKER_OFFLINE),
        (show, State.CONNECTING, Reason.WORKER_OFFLINE),
        (link, State.RECONNECTING, Reason.WORKER_OFFLINE),
        (lose, State.RECONNECTING, Reason.WORKER_OFFLINE),
        (leave, State.RECONNECTING, Reason.WORKER_OFFLINE),
        (fail, State.ACTION_NEEDED, Reason.CODES_EXPIRED),
        (be_gone, State.DISCONNECTED, Reason.DISCONNECTED),
        (rest, State.DISCONNECTED, Reason.NEVER_CONNECTED),
    ],
)
def test_a_dead_worker_is_seen_and_never_stored(
    connection: Connection, hand: FakeWorker, step: NextAction, state: State, reason: Reason
) -> None:
    step(connection, hand)
    stored = Connection.objects.get(pk=connection.pk)
    hand.die()
    observed = read_status(connection.pk)
    assert (observed.state, observed.reason, observed.code) == (state, reason, "")
    offline = reason == Reason.WORKER_OFFLINE
    assert (panel_of(observed, may_operate=True) == Panel.OFFLINE) == offline
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
def test_when_no_worker_has_room_it_is_said(
    connection: Connection,
    hand: FakeWorker,
    step: NextAction,
    state: State,
    full: dict[str, object],
) -> None:
    step(connection, hand)
    hand.die()
    Worker.objects.filter(pk=FakeWorker().worker.pk).update(**full)
    observed = read_status(connection.pk)
    assert (observed.state, observed.reason) == (state, Reason.NO_ROOM)
    assert panel_of(observed, may_operate=True) == Panel.FULL
    assert observed.reason_text.step == NextStep.CHECK_SERVER
    assert observed.since == max(observed.connection.since, reread(hand).heartbeat_at)
    Connection.objects.update(worker=None)
    assert read_status(connection.pk).since == observed.connection.since
    FakeWorker()
    assert read_status(connection.pk).reason != Reason.NO_ROOM


def test_a_full_worker_carries_out_what_is_asked_of_its_own(
    connection: Connection, hand: FakeWorker
) -> None:
    lose(connection, hand)
    Worker.objects.filter(pk=hand.worker.pk).update(capacity=1, sessions=1)
    actions.request_reconnect(connection.pk, ALICE)
    assert read_status(connection.pk).reason == Reason.REQUESTED


def test_a_new_worker_that_has_not_got_round_to_it_yet(
    connection: Connection, hand: FakeWorker
) -> None:
    link(connection, hand)
    newcomer = FakeWorker()
    observed = read_status(connection.pk)
    assert (observed.state, observed.reason) == (State.RECONNECTING, Reason.SERVICE_RESTARTED)
    actions.claim(connection.pk, newcomer.worker, nobody)
    assert not read_status(connection.pk).unowned


def test_a_number_is_told_as_people_write_it(connection: Connection, hand: FakeWorker) -> None:
    link(connection, hand)
    told = snapshot(read_status(connection.pk), may_operate=True)
    assert (told["number"], told["numberText"]) == (NUMBER, "+55 11 98765-4321")
