"""The list of connections in admin: what its rows, filters, search and order tell."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import product
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from connections import actions
from connections.admin.filters import in_filter
from connections.display import (
    DISPLAYS,
    FILTER_NAMES,
    FILTER_OF_SECTION,
    ListFilter,
    Section,
    display_of,
)
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, ConnectionEvent, Worker, Workforce
from connections.status import status_of_row, with_effective_state
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import Actor
from organizations.actions import set_active
from organizations.models import Membership, Organization

TESTS = Actor("the tests")
LIST = reverse("admin:connections_connection_changelist")


def page(user: User, **query: object) -> str:
    client = Client()
    client.force_login(user)
    answer = client.get(f"{LIST}?{urlencode(query)}")
    assert answer.status_code == 200, answer
    return str(answer.content.decode())


def names(user: User, **query: object) -> list[str]:
    """The organizations on the list, from top to bottom."""
    rows = re.findall(r'class="field-name".*?>([^<>]+)</a></th>', page(user, **query))
    return [str(row) for row in rows]


def add(user: User, name: str, **columns: object) -> Connection:
    """One more of this user's, with a row as it is told."""
    organization = Organization.objects.create(name=name)
    Membership.objects.create(user=user, organization=organization, role=Membership.Role.OPERATOR)
    connection = Connection.objects.of(organization)
    Connection.objects.filter(pk=connection.pk).update(**columns)
    connection.refresh_from_db()
    return connection


# --- What it tells is what every other reader is told -------------------------------------------


def every_kind(workers: list[Worker | None]) -> None:
    """A row for each way in which what is told can differ from what is stored."""
    combinations = product(State, Desired, (0, 1), (False, True), workers, (None, timezone.now()))
    for at, (state, desired, generation, leaving, worker, deactivated) in enumerate(combinations):
        organization = Organization.objects.create(name=f"{at}", deactivated_at=deactivated)
        Connection.objects.create(
            organization=organization,
            state=state,
            desired=desired,
            reason=Reason.UNREACHABLE if at % 2 else Reason.LINK_LOST,
            generation=generation,
            logout_pending=leaving,
            worker=worker,
            last_number="5511987654321" if at % 3 else "",
        )


def test_list_filter_finds_what_the_table_of_displays_names(db: None) -> None:
    dead = FakeWorker()
    dead.die()
    every_kind([None, dead.worker, FakeWorker().worker])
    rows = Connection.objects.select_related("organization", "worker")
    displays = {row.pk: display_of(status_of_row(row, Workforce.READY)) for row in rows}
    for value in ListFilter:
        expected = {pk for pk, display in displays.items() if value in display.filters}
        found = with_effective_state(rows).filter(in_filter(value)).values_list("pk", flat=True)
        assert set(found) == expected != set(), value


@pytest.mark.parametrize("section", [each for each in Section if each != Section.NEVER_LINKED])
def test_filter_of_a_section_names_what_the_section_shows(section: Section) -> None:
    named = {pair for pair, its in DISPLAYS.items() if FILTER_OF_SECTION[section] in its.filters}
    assert named == {pair for pair, its in DISPLAYS.items() if its.section == section} != set()


# --- Filters -------------------------------------------------------------------------------------


def test_list_is_filtered_by_state_and_reason(alice: User, hand: FakeWorker) -> None:
    up = {"desired": Desired.CONNECTED, "worker": hand.worker}
    add(alice, "Up", state=State.CONNECTED, reason=Reason.LINKED, **up)
    add(alice, "Down", state=State.ACTION_NEEDED, reason=Reason.LOGGED_OUT_BY_PHONE, **up)
    add(alice, "Server", state=State.RECONNECTING, reason=Reason.UNREACHABLE, **up)
    add(alice, "Code", state=State.AWAITING_SCAN, reason=Reason.WAITING_FOR_SCAN, **up)
    assert names(alice) == ["Down", "Server", "Code", "Up", "Acme"]
    assert names(alice, state="connected") == ["Up"]
    add(alice, "Left", state=State.DISCONNECTED, reason=Reason.DISCONNECTED, last_number="5511")
    assert names(alice, state="action_needed") == ["Down"]
    assert names(alice, state="reconnecting") == ["Server"]
    assert names(alice, state="connecting") == names(alice, state="awaiting_scan") == ["Code"]
    assert names(alice, state="disconnected") == ["Left"]
    assert names(alice, state="never_linked") == ["Acme"]
    assert names(alice, state="offline") == []
    assert names(alice, reason="unreachable") == ["Server"]
    assert names(alice, reason="unreachable", state="connected") == []
    hand.die()
    assert sorted(names(alice, state="offline")) == ["Code", "Server", "Up"]
    assert names(alice, state="connected") == []
    assert sorted(names(alice, reason="worker_offline")) == ["Code", "Server", "Up"]


@pytest.mark.parametrize("query", [{"state": "x"}, {"reason": "x"}, {"down": "2"}, {"down": ""}])
def test_unknown_choice_finds_nothing(alice: User, query: dict[str, str]) -> None:
    assert names(alice, **query) == []


def test_only_existing_reasons_can_be_chosen(alice: User) -> None:
    html = page(alice)
    assert "?reason=never_connected" in html and "?reason=banned" not in html
    assert "?reason=banned" in page(alice, reason="banned")


def history(connection: Connection, *lines: tuple[float, State, State]) -> None:
    """What happened so many hours ago: from which state to which."""
    for hours, before, after in lines:
        ConnectionEvent.objects.create(
            connection=connection,
            at=timezone.now() - timedelta(hours=hours),
            observation=Reason.LINK_LOST,
            state_before=before,
            state=after,
            reason=connection.reason,
        )


def test_down_filter_reads_the_history(alice: User, hand: FakeWorker) -> None:
    R, C, D, N = State.RECONNECTING, State.CONNECTED, State.DISCONNECTED, State.CONNECTING
    wanted = {"desired": Desired.CONNECTED, "state": R, "reason": Reason.LINK_LOST}
    columns = {**wanted, "worker": hand.worker}
    history(add(alice, "Long", **columns), (90, D, N), (30, C, R), (0.1, R, N), (0.05, N, R))
    history(add(alice, "Up in between", **columns), (90, C, R), (5, R, C), (4.5, C, R))
    history(add(alice, "New", **columns), (0.5, D, N), (0.4, N, R))
    history(add(alice, "Linked anew", **columns), (90, C, D), (2, D, N), (1.9, N, R))
    history(add(alice, "Up", **columns | {"state": C}), (90, D, N), (89, N, C))
    history(add(alice, "Off", **columns | {"state": D, "desired": D}), (90, C, D))
    assert sorted(names(alice, down=1)) == ["Linked anew", "Long", "Up in between"]
    assert sorted(names(alice, down=4)) == ["Long", "Up in between"]
    assert names(alice, down=24) == ["Long"]
    assert names(alice, down=72) == []


def test_unowned_link_is_down_since_the_last_heartbeat(alice: User, hand: FakeWorker) -> None:
    columns = {"desired": Desired.CONNECTED, "state": State.CONNECTED, "worker": hand.worker}
    history(add(alice, "Left", **columns), (90, State.CONNECTING, State.CONNECTED))
    assert names(alice, down=1) == []
    two_hours_ago = timezone.now() - timedelta(hours=2)
    Worker.objects.filter(pk=hand.worker.pk).update(heartbeat_at=two_hours_ago)
    assert names(alice, down=1) == ["Left"]
    assert names(alice, down=4) == []


# --- Search and order ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("+55 11 98765-4321", ["Bakery North"]),
        ("5511987654321", ["Bakery North"]),
        ("98765-4321", ["Bakery North"]),
        ("(11) 98765", ["Bakery North"]),
        ("+55 21 99876-5432", ["Bakery South"]),  # WhatsApp knows it without the first 9
        ("+55 11 8765-4321", ["Bakery North"]),  # and the other way around
        ("0055 11 98765-4321", ["Bakery North"]),
        ("+52 55 1234 5678", ["Taqueria"]),
        ("5215512345678", ["Taqueria"]),
        ("bakery", ["Bakery North", "Bakery South"]),
        ("south bak", ["Bakery South"]),
        ("ótica SAO", ["Ótica São José"]),
        ("OTICA", ["Ótica São José"]),
        ("+351 912 345 678", ["Ótica São José"]),  # expected, and not linked yet
        ("24", ["Shop 24"]),
        ("+1 202", []),
        ("%", []),
        ("' OR 1=1", []),
    ],
)
def test_list_is_searched_by_name_and_number(alice: User, text: str, found: list[str]) -> None:
    add(alice, "Bakery North", number="5511987654321")
    add(alice, "Bakery South", number="552198765432")
    add(alice, "Shop 24", number="4930123456")
    add(alice, "Taqueria", number="5215512345678")
    expecting = add(alice, "Ótica São José").organization
    Organization.objects.filter(pk=expecting.pk).update(expected_number="351912345678")
    assert names(alice, q=text) == found


def test_empty_list_leads_to_what_other_states_have(alice: User, admin_user: User) -> None:
    add(alice, "Padaria")
    html = page(alice, q="padaria", state="connected")
    assert "Nothing that matches the filter was found for “padaria”." in html
    assert '<a class="button" href="?q=padaria">Search in all states (1 found)</a>' in html
    assert "Create an organization" not in html and "result_list" not in html
    html = page(alice, q="farmacia", state="connected")
    assert "Nothing was found for “farmacia”." in html and "in all states" not in html
    html = page(admin_user, state="connected")
    assert "Nothing matches the filter." in html and "Each word" not in html
    assert '<a class="button" href="?">Show all organizations</a>' in html
    assert "Create an organization" in html


def test_list_begins_with_the_longest_trouble_and_then_goes_by_name(
    alice: User, hand: FakeWorker
) -> None:
    now = timezone.now()
    owned = {"desired": Desired.CONNECTED, "worker": hand.worker}
    linked = {"state": State.CONNECTED, "number": "1"} | owned
    needing = {"state": State.ACTION_NEEDED, "number": "1"} | owned
    gone = add(alice, "Absent", since=now - timedelta(9), **needing).organization
    set_active(gone, False, TESTS)
    add(alice, "Zoo", since=now - timedelta(3), **linked)
    add(alice, "Élan", since=now - timedelta(1), **linked)
    add(alice, "Young trouble", since=now - timedelta(1), **needing)
    add(alice, "Old trouble", since=now - timedelta(2), **needing)
    add(alice, "Dropped", since=now - timedelta(5), state=State.RECONNECTING, number="1", **owned)
    add(alice, "Ended", number="1")
    expected = ["Old trouble", "Young trouble", "Dropped", "Élan", "Zoo", "Ended"]
    assert [name for name in names(alice) if name in expected] == expected
    assert names(alice)[-1] == "Absent"


def test_list_is_ordered_by_each_column(alice: User, hand: FakeWorker) -> None:
    now = timezone.now()
    columns = {"desired": Desired.CONNECTED, "worker": hand.worker}
    add(alice, "B", number="2", state=State.CONNECTED, since=now, **columns)
    add(alice, "C", number="1", state=State.ACTION_NEEDED, since=now - timedelta(1), **columns)
    own = ["B", "C"]
    for column, first in ((1, "B"), (2, "C"), (3, "C"), (4, "C")):
        shown = [name for name in names(alice, o=column) if name in own]
        assert shown == [first, *(name for name in own if name != first)], column
        shown = [name for name in names(alice, o=-column) if name in own]
        assert shown[-1] == first, column


# --- Rows ----------------------------------------------------------------------------------------


def test_row_shows_the_summary_of_the_socket(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, TESTS)
    actions.record_event(hand.link(connection), Reason.UNREACHABLE, "it did not answer")
    connection.refresh_from_db()
    html = page(alice)
    assert f'data-organization="{connection.pk}" data-panel="reconnecting">Reconnecting<' in html
    assert ">+55 11 98765-4321<" in html
    assert "WhatsApp cannot be reached from this server." in html
    assert "it did not answer" in html
    assert f'datetime="{connection.since.isoformat()}"' in html and ">just now</time>" in html


def test_number_of_queries_does_not_depend_on_the_rows(
    alice: User, hand: FakeWorker, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    hand.die()
    client = Client()
    client.force_login(alice)
    columns = {"desired": Desired.CONNECTED, "state": State.CONNECTED}

    def queries() -> int:
        with django_assert_max_num_queries(30) as counted:
            assert client.get(LIST).status_code == 200
        return len(counted)

    # Their connections are made at the first sight of them.
    client.get(LIST)
    add(alice, "First", **columns)
    few = queries()
    for number in range(60):
        add(alice, f"Shop {number}", **columns)
    assert queries() == few


def test_name_with_markup_is_escaped(alice: User) -> None:
    add(alice, "<b>Bold</b>")
    assert "<b>Bold" not in page(alice) and "&lt;b&gt;Bold" in page(alice)


def test_bulk_actions_are_for_operators(
    connection: Connection, alice: User, bob: User, admin_user: User
) -> None:
    for user, may in ((alice, True), (bob, False), (admin_user, True)):
        html = page(user)
        assert ('value="bulk_reconnect"' in html) is may, user
        assert ('value="bulk_disconnect"' in html) is may, user
        assert "delete_selected" not in html


def test_every_state_can_be_chosen(alice: User) -> None:
    html = page(alice)
    for value in FILTER_NAMES:
        assert f"?state={value}" in html
    assert set(FILTER_NAMES) >= set(State)
