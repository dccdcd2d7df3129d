"""How long states lasted and what counts as uptime, told from made-up histories."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections.history import timeline
from connections.history.entries import parse_cursor
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, ConnectionEvent, Worker, Workforce
from connections.status import ConnectionStatus, read_status
from organizations.models import Organization

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

C, D, R = State.CONNECTED, State.DISCONNECTED, State.RECONNECTING
A, P, S = State.ACTION_NEEDED, State.CONNECTING, State.AWAITING_SCAN

Happening = tuple[timedelta, State, Reason]
LINKED, LOST = Reason.LINKED, Reason.LINK_LOST


@pytest.fixture
def write(connection: Connection) -> Callable[..., ConnectionStatus]:
    """Make a history: how long before NOW each state began, and why. Returns how it is seen."""

    def write(*happenings: Happening, has_worker: bool = True) -> ConnectionStatus:
        before = State.DISCONNECTED
        for ago, state, reason in happenings:
            ConnectionEvent.objects.create(
                connection=connection,
                at=NOW - ago,
                observation=Reason.LINKED,
                state_before=before,
                state=state,
                reason=reason,
            )
            connection.state, connection.reason, connection.since = state, reason, NOW - ago
            before = state
        connection.desired = Desired.CONNECTED
        connection.save()
        return ConnectionStatus(
            connection,
            None,
            has_worker,
            workforce=Workforce.READY if has_worker else Workforce.ABSENT,
        )

    return write


def share(status: ConnectionStatus) -> float | None:
    return timeline.uptime(status, NOW).share


# --- Uptime -------------------------------------------------------------------------------------


def test_uptime_without_a_history_counts_nothing(
    write: Callable[..., ConnectionStatus],
) -> None:
    uptime = timeline.uptime(write(), NOW)
    assert uptime.share is None and uptime.since is None
    assert [day.share for day in uptime.days] == [None] * 30
    assert (uptime.days[0].date.isoformat(), uptime.days[-1].date.isoformat()) == (
        "2026-05-02",
        "2026-05-31",
    )


def test_time_before_the_first_link_does_not_count(
    write: Callable[..., ConnectionStatus],
) -> None:
    status = write(
        (9 * DAY, P, Reason.REQUESTED),
        (9 * DAY - HOUR, S, Reason.WAITING_FOR_SCAN),
        (8 * DAY, A, Reason.CODES_EXPIRED),
        (10 * HOUR, C, LINKED),
    )
    uptime = timeline.uptime(status, NOW)
    assert uptime.share == 1
    assert [day.share for day in uptime.days] == [None] * 29 + [1]
    assert uptime.days[-1].counted == 10 * HOUR
    assert uptime.since == NOW - 10 * HOUR


def test_link_from_before_the_window_counts_from_its_start(
    write: Callable[..., ConnectionStatus],
) -> None:
    status = write((90 * DAY, C, LINKED), (6 * HOUR, R, LOST), (3 * HOUR, C, Reason.RESUMED))
    uptime = timeline.uptime(status, NOW)
    assert sum((day.counted for day in uptime.days), timedelta()) == 29 * DAY + 12 * HOUR
    assert [day.share for day in uptime.days] == [1] * 29 + [0.75]
    assert uptime.since is None


def test_outage_from_before_the_window_counts_as_down(
    write: Callable[..., ConnectionStatus],
) -> None:
    status = write((90 * DAY, C, LINKED), (60 * DAY, A, Reason.LOGGED_OUT_BY_PHONE))
    assert share(status) == 0


@pytest.mark.parametrize("state", [P, S, R, A])
def test_every_state_but_connected_counts_as_down(
    write: Callable[..., ConnectionStatus], state: State
) -> None:
    status = write((4 * HOUR, C, LINKED), (HOUR, state, Reason.UNREACHABLE))
    assert share(status) == 0.75


def test_requested_disconnect_does_not_count(
    write: Callable[..., ConnectionStatus],
) -> None:
    status = write(
        (20 * HOUR, C, LINKED),
        (18 * HOUR, D, Reason.DISCONNECTED),
        (5 * HOUR, P, Reason.REQUESTED),
        (2 * HOUR, C, LINKED),
        (HOUR, R, LOST),
    )
    assert share(status) == pytest.approx(3 / 4)


def test_disconnect_before_the_window_does_not_count(
    write: Callable[..., ConnectionStatus],
) -> None:
    status = write(
        (90 * DAY, C, LINKED),
        (80 * DAY, D, Reason.DISCONNECTED),
        (40 * DAY, A, Reason.CODES_EXPIRED),
    )
    assert share(status) is None


def test_deactivated_time_does_not_count(write: Callable[..., ConnectionStatus]) -> None:
    status = write(
        (8 * HOUR, C, LINKED),
        (7 * HOUR, R, Reason.ORGANIZATION_INACTIVE),
        (2 * HOUR, R, LOST),
        (HOUR, C, Reason.RESUMED),
    )
    assert share(status) == pytest.approx(2 / 3), "one hour up, one down, one up"


def test_time_since_the_deactivation_does_not_count(
    write: Callable[..., ConnectionStatus], organization: Organization
) -> None:
    status = write((8 * HOUR, C, LINKED), (4 * HOUR, A, Reason.BANNED))
    status.connection.organization.deactivated_at = NOW - 3 * HOUR
    assert share(status) == pytest.approx(4 / 5)


def test_unowned_connection_is_down_since_the_last_heartbeat(
    write: Callable[..., ConnectionStatus],
) -> None:
    status = write((8 * HOUR, C, LINKED), has_worker=False)
    Worker.objects.create(name="gone", heartbeat_at=NOW - 2 * HOUR)
    assert share(status) == 0.75


def test_time_between_two_workers_counts_as_down(write: Callable[..., ConnectionStatus]) -> None:
    status = write(
        (8 * HOUR, C, LINKED),
        (2 * HOUR, R, Reason.SERVICE_RESTARTED),
        (2 * HOUR, C, Reason.RESUMED),
    )
    for heard, stopped in ((20, 9), (4, 2), (1, 1)):
        at, gone = NOW - heard * HOUR, NOW - stopped * HOUR
        Worker.objects.create(name="gone", heartbeat_at=at, stopped_at=gone)
    assert share(status) == 0.75


def test_days_are_in_the_servers_time_zone(write: Callable[..., ConnectionStatus]) -> None:
    status = write((30 * HOUR, C, LINKED), (24 * HOUR, R, LOST))
    with timezone.override("America/Sao_Paulo"):
        days = timeline.uptime(status, NOW).days
    # Midnight there is 3:00 UTC; it was linked at 6:00 and lost at 12:00.
    counted = [(day.date.day, day.counted) for day in days[-2:]]
    assert counted == [(30, 21 * HOUR), (31, 9 * HOUR)]
    assert days[-3].share is None and days[-2].up == 6 * HOUR


def test_uptime_costs_one_query(write: Callable[..., ConnectionStatus]) -> None:
    status = write(*((ago * HOUR, C if ago % 2 else R, LOST) for ago in range(200, 0, -1)))
    with CaptureQueriesContext(database) as queries:
        assert share(status) == pytest.approx(0.5, abs=0.01)
    assert len(queries) == 1


# --- The lines ----------------------------------------------------------------------------------


def test_line_that_began_a_state_has_its_duration(
    write: Callable[..., ConnectionStatus],
) -> None:
    status = write(
        (10 * HOUR, P, Reason.REQUESTED),
        (9 * HOUR, P, Reason.PREPARING_CODE),
        (8 * HOUR, C, LINKED),
        (8 * HOUR - timedelta(hours=3, minutes=12), R, LOST),
    )
    lines, cursor = timeline.latest(status)
    assert cursor is None
    assert [(line.began, line.until and NOW - line.until) for line in reversed(lines)] == [
        (True, 8 * HOUR),
        (False, 8 * HOUR),
        (True, timedelta(hours=4, minutes=48)),
        (True, None),
    ]
    assert [line.lasted for line in reversed(lines)][:3] == ["for 2 h", "", "for 3 h 12 min"]
    assert lines[0].lasted.endswith("so far")


def test_states_of_the_same_instant_have_no_duration(
    write: Callable[..., ConnectionStatus],
) -> None:
    lines, _ = timeline.latest(write((HOUR, P, LOST), (HOUR, R, LOST), (HOUR, C, LINKED)))
    assert [line.state for line in lines] == [C, R, P]
    assert [line.until for line in lines] == [None, NOW - HOUR, NOW - HOUR]
    assert lines[1].lasted == ""


def test_status_without_an_event_is_the_newest_line(write: Callable[..., ConnectionStatus]) -> None:
    status = write((8 * HOUR, C, LINKED), has_worker=False)
    Worker.objects.create(name="gone", heartbeat_at=NOW - 2 * HOUR)
    lines, _ = timeline.latest(status)
    assert (lines[0].id, lines[0].reason, lines[0].at) == (
        0,
        Reason.WORKER_OFFLINE,
        NOW - 2 * HOUR,
    )
    assert lines[1].lasted == "for 6 h"
    told = timeline.history_as_json(status)
    assert told["present"]["reason"] == Reason.WORKER_OFFLINE
    assert [line["state"] for line in told["history"]] == [C]


def test_each_page_costs_one_query_and_continues_the_last(
    write: Callable[..., ConnectionStatus],
) -> None:
    status = write(*((ago * HOUR, C if ago % 2 else R, LOST) for ago in range(50, 0, -1)))
    pages, before = [], None
    while True:
        with CaptureQueriesContext(database) as queries:
            lines, cursor = timeline.lines(status.connection.pk, before)
        assert len(queries) == 1
        pages.append(lines)
        if cursor is None:
            break
        before = parse_cursor(cursor)
    assert [len(page) for page in pages] == [20, 20, 10]
    found = [line for page in pages for line in page]
    assert [line.at for line in found] == [NOW - ago * HOUR for ago in range(1, 51)]
    # Also across the edge of a page.
    assert {line.lasted for line in found[1:]} == {"for 1 h"}


def test_current_line_is_read_from_the_worker(connection: Connection) -> None:
    assert timeline.current_line(read_status(connection.pk)) is None
    Connection.objects.filter(pk=connection.pk).update(desired=Desired.CONNECTED, state=C)
    present = timeline.current_line(read_status(connection.pk))
    assert present is not None and present.reason == Reason.WORKER_OFFLINE


# --- A long history -----------------------------------------------------------------------------


@pytest.mark.sqlite_only
def test_only_the_end_of_a_long_history_is_read(write: Callable[..., ConnectionStatus]) -> None:
    status = write((DAY * 40, C, LINKED), (DAY, R, LOST), (HOUR, C, Reason.RESUMED))
    with CaptureQueriesContext(database) as captured:
        timeline.lines(status.connection.pk)
        timeline.uptime(status, NOW)
    lines, uptime = (query["sql"] for query in captured if "connectionevent" in query["sql"])
    # The end of each line's state, and the events of 30 days, begin within the index.
    for sql, table in ((lines, "U0"), (uptime, "connections_connectionevent")):
        with database.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[3] for row in cursor.fetchall()]
        searched = [step for step in plan if step.startswith(f"SEARCH {table} ")]
        assert searched and all("(connection_id=? AND at>?)" in step for step in searched), plan
