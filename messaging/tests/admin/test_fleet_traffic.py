"""Today's messages of all organizations: the line on the fleet page, and the lists behind it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connections.models import Connection
from messaging.actions.days import count_days
from messaging.admin.traffic import fleet_traffic_of
from messaging.models import Message, MessageDay
from messaging.tests.support.rows import make_message
from messaging.traffic import traffic_by_organization, traffic_of, visible_messages
from organizations.access import for_user
from organizations.models import Organization
from organizations.tests.support.adminpages import browser, shown

State = Message.State

# A Friday.
NOW = datetime(2026, 11, 27, 15, 30, tzinfo=UTC)


@pytest.fixture
def friday(monkeypatch: pytest.MonkeyPatch, root: User) -> datetime:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    return NOW


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def line(user: User) -> str:
    """Return the line as the fleet page has it, which its fragment repeats."""
    page, fragment = shown(user, reverse("fleet")), shown(user, reverse("traffic_today"))
    found = re.search(r'<div class="traffic" data-traffic>.*?</p>', page, re.S)
    assert found and plain(found[0]) in plain(fragment)
    return plain(found[0]).strip()


def test_line_adds_what_the_person_sees(
    bob: User, root: User, organization: Organization, other_organization: Organization
) -> None:
    for each in (organization, other_organization):
        for state in (State.RECEIVED, State.READ, State.FAILED, State.QUEUED):
            make_message(each, state=state)
    assert line(bob).startswith("Today 1 in 1 out 1 waiting (oldest")
    assert line(root).startswith("Today 2 in 2 out 2 waiting (oldest")
    assert "2 failed" in line(root) and "0 silent numbers" in line(root)


def test_row_that_needs_action_says_what_waits(bob: User, organization: Organization) -> None:
    Connection.objects.update_or_create(
        organization=organization,
        defaults={"state": "action_needed", "reason": "logged_out_by_phone"},
    )
    make_message(organization, state=State.QUEUED)
    make_message(organization, state=State.HELD)
    html = shown(bob, reverse("fleet"))
    assert re.search(r"data-consequence\s*>2 messages wait<", html)
    assert f'"{organization.pk}": "2 messages wait"' in html


@pytest.mark.parametrize("show", ["in", "out", "waiting", "held", "failed", "lost"])
def test_list_names_organizations_with_that_figure_only(
    show: str, bob: User, organization: Organization, other_organization: Organization
) -> None:
    states = {"in": State.RECEIVED, "out": State.SENT, "waiting": State.QUEUED}
    states |= {"held": State.HELD, "failed": State.EXPIRED, "lost": State.LOST}
    address = reverse("traffic") + f"?show={show}"
    assert "There are none." in shown(bob, address)
    for each in (organization, other_organization):
        make_message(each, state=states[show])
    html = shown(bob, address)
    assert f"{reverse('messages', args=[organization.pk])}?show={show}" in html
    assert other_organization.name not in html


def test_number_of_queries_does_not_grow_with_organizations(root: User) -> None:
    client, counts = browser(root), []
    for number in range(12):
        make_message(Organization.objects.create(name=f"Number {number}"), state=State.QUEUED)
        if number in (1, 11):
            with CaptureQueriesContext(connection) as queries:
                client.get(reverse("traffic_today"))
            counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.sqlite_only  # Its plan is asked; PostgreSQL chooses by what is in the tables.
@pytest.mark.parametrize("user", ["bob", "root"])
def test_messages_of_today_are_counted_without_their_rows(
    user: str, organization: Organization, request: pytest.FixtureRequest
) -> None:
    make_message(organization)
    caller = for_user(request.getfixturevalue(user))
    with CaptureQueriesContext(connection) as queries:
        traffic_by_organization(visible_messages(caller))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[0]['sql']}")
        plan = str(cursor.fetchall())
    index = "COVERING INDEX messages_by_time_and_state"
    assert f"{index} (organization_id=? AND direction=? AND created_at>?)" in plan


# --- Silent numbers -------------------------------------------------------------------------------


def live(organization: Organization, weeks: int = 4, hour: int = 9, messages: int = 20) -> None:
    """Connect the number, and let it get messages on the last weeks' Fridays from an hour on."""
    Connection.objects.update_or_create(
        organization=organization, defaults={"state": "connected", "desired": "disconnected"}
    )
    for week in range(1, weeks + 1):
        at = (NOW - timedelta(weeks=week)).replace(hour=hour)
        MessageDay.objects.create(
            organization=organization, day=at.date(), received=messages, first_received_at=at
        )


def silent() -> list[tuple[int, int]]:
    found = fleet_traffic_of(for_user(User.objects.get(username="root"))).silent
    return [(each.organization_id, each.usual) for each in found]


def test_number_that_usually_has_messages_by_now_is_silent(
    friday: datetime, organization: Organization
) -> None:
    live(organization)
    assert silent() == [(organization.pk, 20)]
    make_message(organization, created_at=NOW - timedelta(minutes=1))
    assert silent() == []


@pytest.mark.parametrize(
    "past", [{"weeks": 3}, {"hour": 15}, {"messages": 4}], ids=["short", "later", "few"]
)
def test_number_without_such_a_past_is_not_silent(
    friday: datetime, organization: Organization, past: dict[str, int]
) -> None:
    live(organization, **past)
    assert silent() == []


def test_disconnected_number_is_not_silent(friday: datetime, organization: Organization) -> None:
    live(organization)
    Connection.objects.update(state="disconnected")
    assert silent() == []


def test_list_of_silent_numbers_says_what_is_usual(
    friday: datetime, bob: User, organization: Organization
) -> None:
    live(organization)
    html = shown(bob, reverse("traffic") + "?show=silent")
    assert "Connected, nothing in today, usually 20 on this day of the week." in html
    assert "1 silent number" in plain(shown(bob, reverse("traffic_today")))


def test_fleet_names_silent_numbers_since_when(
    friday: datetime, bob: User, organization: Organization, other_organization: Organization
) -> None:
    for each in (organization, other_organization):
        live(each)
    make_message(organization, created_at=NOW - timedelta(hours=26))
    for address in (reverse("fleet"), reverse("traffic_today")):
        section = silent_section(shown(bob, address))
        assert plain(section).startswith(" Silent 1 ")
        # Django's timesince asks the real clock: in whole days it has one unit only.
        assert re.search(r"Connected, nothing in for \d+\s\w+(, .*)?, usually 20 on", section)
        assert f"{reverse('messages', args=[organization.pk])}?show=in" in section
        assert other_organization.name not in section


def test_test_button_is_for_those_who_may_press_it(
    friday: datetime, bob: User, alice: User, organization: Organization
) -> None:
    live(organization)
    address = reverse("admin:connections_connection_self_test", args=[organization.pk])
    for user, shows in ((bob, False), (alice, True)):
        section = silent_section(shown(user, reverse("fleet")))
        assert organization.name in section
        assert (f'action="{address}"' in section) == shows


def test_fleet_without_silent_numbers_hides_the_section(
    friday: datetime, bob: User, organization: Organization
) -> None:
    assert re.search(r"data-silent [^>]*hidden>", shown(bob, reverse("fleet")))


def silent_section(html: str) -> str:
    found = re.search(r'<section class="fleet-silent"((?! hidden)[^>])*>.*?</section>', html, re.S)
    assert found
    return found[0]


# --- Past days ------------------------------------------------------------------------------------


def test_past_days_are_counted_once_and_outlive_their_messages(
    friday: datetime, organization: Organization
) -> None:
    for hours, state in ((3, State.RECEIVED), (25, State.RECEIVED), (26, State.RECEIVED)):
        make_message(organization, state=state, created_at=NOW - timedelta(hours=hours))
    sent_at = NOW - timedelta(hours=24)
    make_message(organization, state=State.READ, created_at=sent_at, sent_at=sent_at)
    make_message(organization, state=State.FAILED, created_at=sent_at)
    for _ in range(2):
        count_days()
    Message.objects.all().delete()
    count_days()
    day = MessageDay.objects.get()
    assert (day.day, day.received, day.sent) == (NOW.date() - timedelta(days=1), 2, 1)
    assert day.first_received_at == NOW - timedelta(hours=26)


def test_old_days_are_deleted(friday: datetime, organization: Organization) -> None:
    MessageDay.objects.create(organization=organization, day=NOW.date() - timedelta(days=71))
    count_days()
    assert not MessageDay.objects.exists()


def test_traffic_of_an_organization_without_messages_is_zero(organization: Organization) -> None:
    assert traffic_of(organization.pk).unsent == 0
