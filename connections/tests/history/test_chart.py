"""How many were connected: counted back through the history, and drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from connections.history.chart import DAY, WEEK, Chart, charts, connected_per_minute
from connections.lifecycle import Reason, State
from connections.models import Connection, ConnectionEvent
from organizations.models import Organization

pytestmark = pytest.mark.sqlite_only

NOW = datetime(2026, 3, 4, 15, 20, 30, tzinfo=UTC)


def changes(connection: Connection, *said: tuple[int, State]) -> None:
    """A history: so many minutes ago it became so. The last one is what is."""
    before = State.DISCONNECTED
    for minutes, state in said:
        ConnectionEvent.objects.create(
            connection=connection,
            at=NOW - timedelta(minutes=minutes),
            observation="test",
            state_before=before,
            state=state,
            reason=Reason.LINKED,
        )
        before = state
    Connection.objects.filter(pk=connection.pk).update(state=before)


def drawn(connections: list[Connection], connected: int) -> list[Chart]:
    return charts([connection.pk for connection in connections], connected, NOW)


def values(chart: Chart) -> list[int]:
    """The level of each step of the line, read from its path."""
    steps = chart.line.replace("M0 ", "V").split("V")[2:]
    assert [int(step.split("H")[1]) for step in steps] == list(range(1, chart.columns + 1))
    return [chart.top - int(step.split("H")[0]) for step in steps]


def test_counts_follow_the_events(connection: Connection, other_organization: Organization) -> None:
    other = Connection.objects.of(other_organization)
    changes(connection, (300, State.CONNECTED), (200, State.RECONNECTING), (190, State.CONNECTED))
    changes(other, (250, State.CONNECTED), (100, State.ACTION_NEEDED))
    found = connected_per_minute([connection.pk, other.pk], NOW)
    assert len(found) == WEEK
    ago = {minutes: found[-1 - minutes] for minutes in (301, 300, 250, 200, 190, 101, 100, 0)}
    assert ago == {301: 0, 300: 1, 250: 2, 200: 1, 190: 2, 101: 2, 100: 1, 0: 1}
    assert (
        connected_per_minute([connection.pk], NOW)[-150] == 1
        and connected_per_minute([], NOW) == [0] * WEEK
    )


def test_events_without_a_change_do_not_count(connection: Connection) -> None:
    changes(
        connection,
        (500, State.CONNECTED),
        (400, State.CONNECTED),
        (300, State.ACTION_NEEDED),
        (200, State.RECONNECTING),
    )
    found = connected_per_minute([connection.pk], NOW)
    ago = {minutes: found[-1 - minutes] for minutes in (501, 500, 301, 300, 0)}
    assert ago == {501: 0, 500: 1, 301: 1, 300: 0, 0: 0}


def test_connection_from_before_the_week_counts_all_week(connection: Connection) -> None:
    changes(connection, (WEEK + 500, State.CONNECTED))
    assert set(connected_per_minute([connection.pk], NOW)) == {1}


def test_short_outage_is_visible_in_the_week_chart(connection: Connection) -> None:
    changes(
        connection,
        (WEEK + 1, State.CONNECTED),
        (3030, State.RECONNECTING),
        (3025, State.CONNECTED),
    )
    day, week = drawn([connection], 1)
    assert set(values(day)) == {1}
    assert values(week).count(0) == 1
    assert week.summary == "Last 7 days: now 1, fewest 0, most 1."


def test_current_count_is_the_callers(connection: Connection) -> None:
    changes(connection, (WEEK + 1, State.CONNECTED))
    day, _ = drawn([connection], 0)
    assert values(day)[-2:] == [1, 0]
    assert day.summary.startswith("Last 24 hours: now 0,")


def test_long_history_is_read_in_one_query_of_few_rows(
    connection: Connection, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [
        ConnectionEvent(
            connection=connection,
            at=NOW - timedelta(seconds=9 * number),
            observation="test",
            state_before=State.CONNECTED if number % 2 else State.RECONNECTING,
            state=State.RECONNECTING if number % 2 else State.CONNECTED,
            reason=Reason.LINKED,
        )
        for number in range(20_000)
    ]
    ConnectionEvent.objects.bulk_create(rows)
    Connection.objects.filter(pk=connection.pk).update(state=State.CONNECTED)
    with django_assert_num_queries(3):
        found = connected_per_minute([connection.pk], NOW)
    assert set(found) <= {0, 1} and {*found[-60:]} == {0, 1}
    # Past hours are not read again.
    with django_assert_num_queries(2):
        assert connected_per_minute([connection.pk], NOW) == found


def test_change_after_the_first_look_counts(connection: Connection) -> None:
    changes(connection, (90, State.CONNECTED))
    assert connected_per_minute([connection.pk], NOW)[-92:] == [0] + [1] * 91
    ConnectionEvent.objects.all().delete()
    changes(connection, (90, State.CONNECTED), (10, State.RECONNECTING))
    assert connected_per_minute([connection.pk], NOW)[-12:] == [1] + [0] * 11
    an_hour_later = connected_per_minute([connection.pk], NOW + timedelta(hours=1))
    assert an_hour_later[-72:] == [1] + [0] * 71


def test_axes_have_round_numbers_and_local_times(db: None) -> None:
    with translation.override("en"):
        day, week = charts([], 23, NOW)
    assert [tick.label for tick in day.numbers] == ["0", "10", "20", "30"]
    assert [tick.at for tick in day.numbers] == ["100%", "66.6667%", "33.3333%", "0%"]
    assert [tick.label for tick in day.times] == ["18:00", "00:00", "06:00", "12:00"]
    assert [tick.label for tick in week.times] == [
        *("Thu 26", "Fri 27", "Sat 28", "Sun 1", "Mon 2", "Tue 3", "Wed 4")
    ]
    places = [float(tick.at.removesuffix("%")) for tick in day.times + week.times]
    assert all(0 <= place <= 100 for place in places)
    assert places[3] == pytest.approx(100 - 100 * 200.5 / DAY, abs=0.01)


@pytest.mark.parametrize("connected", [0, 1, 4, 5, 7, 99, 1000])
def test_top_covers_all_counts_with_few_ticks(db: None, connected: int) -> None:
    day, _ = charts([], connected, NOW)
    assert day.top >= max(1, connected)
    assert 2 <= len(day.numbers) <= 5
    assert min(values(day)) >= 0 and values(day)[-1] in (0, connected)


def test_page_has_both_charts_with_text(connection: Connection, bob: User, charlie: User) -> None:
    Connection.objects.filter(pk=connection.pk).update(state=State.CONNECTED)
    found = pictures(bob)
    assert len(found) == 2
    for picture, chart in found:
        words = picture.get("aria-labelledby")
        assert picture.get("role") == "img" and words == f"chart-{chart.name}"
        assert len(picture.findall("text")) == len(chart.numbers) + len(chart.times)
        assert picture.find("svg/path[@class='line']") is not None
    assert found[0][1].summary == "Last 24 hours: now 1, fewest 1, most 1."
    # What another tenant's connections did is not in it.
    assert {chart.summary for _, chart in pictures(charlie)} == {
        "Last 24 hours: now 0, fewest 0, most 0.",
        "Last 7 days: now 0, fewest 0, most 0.",
    }


def pictures(user: User) -> list[tuple[ElementTree.Element, Chart]]:
    client = Client()
    client.force_login(user)
    response: Any = client.get("/admin/connections/")
    html = response.content.decode()
    parts = html.split('<svg class="chart"')[1:]
    found = ['<svg class="chart"' + part.split("<figcaption")[0] for part in parts]
    return list(zip(map(ElementTree.fromstring, found), response.context["charts"], strict=True))
