"""The fleet page: who sees what of it, what needs a person, and in which order."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from connections import actions
from connections.display import SECTION_NAMES, Section, display_of
from connections.lifecycle import Reason, State
from connections.live import fleet
from connections.live.fleet import FleetHealth
from connections.models import Connection, Worker
from connections.reason_texts import REASON_TEXTS, NextAction
from connections.status import read_status
from connections.tests.support.fake_worker import CODE, NUMBER, FakeWorker
from organizations.access import Actor, for_user
from organizations.actions import set_active
from organizations.models import Membership, Organization

PAGE = "/admin/connections/"
ALICE = Actor("alice")


def look(user: User, address: str = PAGE) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(address)


def text(response: Any) -> str:
    return str(response.content.decode())


def shown(response: Any) -> dict[str, list[str]]:
    """The names in each section, as they stand on the page."""
    return {
        section.name: [row["name"] for row in section.rows]
        for section in response.context["sections"]
        if section.rows
    }


def new(name: str, state: State, reason: Reason, minutes: int = 0, **more: Any) -> Connection:
    """A connection that has been so for some minutes, and that no worker has to look after."""
    connection = Connection.objects.of(Organization.objects.create(name=name))
    since = timezone.now() - timedelta(minutes=minutes)
    worker = Worker.objects.order_by("pk").first()
    fields: dict[str, Any] = {"state": state, "reason": reason, "since": since, "worker": worker}
    fields |= more
    Connection.objects.filter(pk=connection.pk).update(**fields)
    connection.refresh_from_db()
    return connection


# --- Who sees what ------------------------------------------------------------------------------


def test_fleet_has_the_callers_organizations(
    connection: Connection,
    other_organization: Organization,
    alice: User,
    charlie: User,
    admin_user: User,
) -> None:
    assert shown(look(alice)) == {"never_linked": ["Acme"]}
    assert shown(look(charlie)) == {"never_linked": ["Globex"]}
    assert shown(look(admin_user)) == {"never_linked": ["Acme", "Globex"]}
    assert "Acme" not in text(look(charlie)) + text(look(charlie, "/admin/"))


def test_anonymous_and_non_staff_are_redirected_to_the_login(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=False)
    for response in (Client().get(PAGE), look(alice)):
        assert response.status_code == 302
        assert response.headers["Location"] == f"/admin/login/?next={PAGE}"


def test_people_land_on_the_fleet(connection: Connection, hand: FakeWorker, bob: User) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    response = look(bob, "/admin/")
    counted = {section.name: section.count for section in response.context["sections"]}
    assert counted == dict.fromkeys(Section, 0) | {"connected": 1}
    assert '<strong data-count="connected">1</strong> Connected' in text(response)


def test_without_any_organization_the_fleet_says_what_to_do_first(admin_user: User) -> None:
    html = text(look(admin_user, "/admin/"))
    assert 'data-mood="empty"' in html and "Add an organization" in html


def test_fleet_shows_no_code(connection: Connection, alice: User, hand: FakeWorker) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    response = look(alice)
    assert shown(response) == {"linking": ["Acme"]}
    assert CODE not in text(response) and "data:image" not in text(response)


# --- What needs a person ------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("reason", Reason)
def test_section_is_action_needed_where_only_a_person_helps(
    hand: FakeWorker, reason: Reason
) -> None:
    for state in State:
        if (state, reason) == (State.DISCONNECTED, Reason.ORGANIZATION_INACTIVE):
            continue  # Never stored: so a deactivated one is told.
        connection = new(f"{state} {reason}", state, reason)
        display = display_of(read_status(connection.pk))
        in_need = display.section == Section.ACTION_NEEDED
        assert in_need == (state == State.ACTION_NEEDED), state
        # What the server or WhatsApp suffers is an alarm, and no task for each organization.
        only_the_server = REASON_TEXTS[reason].step == NextAction.CHECK_SERVER
        only_the_server |= reason == Reason.UNAVAILABLE
        if reason != Reason.ORGANIZATION_INACTIVE:
            assert display.outage == (only_the_server and not in_need), state


def test_connections_without_a_worker_are_one_alarm(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    assert shown(look(alice)) == {"connected": ["Acme"]}
    hand.die()
    response = look(alice)
    assert shown(response) == {"reconnecting": ["Acme"]}
    (row,) = response.context["sections"][1].rows
    died = timezone.now() - 2 * Worker.OFFLINE_AFTER
    assert abs(row["sinceTime"] - max(died, connection.since)) < timedelta(seconds=10)


def test_deactivated_organization_has_its_own_section(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.begin(connection)
    set_active(connection.organization, False, ALICE)
    response = look(alice)
    assert shown(response) == {"deactivated": ["Acme"]}
    # Its own page and the list call it the same.
    (row,) = response.context["sections"][-1].rows
    assert row["panelName"] == "Deactivated"


def test_reconnect_button_is_for_operators(
    connection: Connection, alice: User, bob: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    actions.record_event(hand.link(connection), Reason.LOGGED_OUT_BY_PHONE)
    form = re.compile(
        rf'action="{PAGE}connection/{connection.pk}/reconnect/" data-reconnect (hidden)?'
    )
    link = re.compile(rf'href="{PAGE}connection/{connection.pk}/change/" data-open (hidden)?')
    for user, hidden in ((alice, (None, "hidden")), (bob, ("hidden", None))):
        html = text(look(user))
        assert "The phone unlinked this device." in html
        found = (form.search(html), link.search(html))
        assert tuple(match and match[1] for match in found) == hidden, user


def test_row_that_needs_the_administrator_has_no_button(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    later = timezone.now() + timedelta(minutes=5, seconds=30)
    actions.record_event(hand.link(connection), Reason.CLIENT_OUTDATED, retry_at=later)
    response = look(alice)
    (row,) = response.context["sections"][1].rows
    assert (row["reconnects"], row["retryText"]) == (False, "Next try in 5\xa0minutes")
    assert "Ask the administrator to update the software" in text(response)


def test_end_of_a_ban_is_told_by_the_detail_alone(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    until = datetime(2030, 1, 1, 12, 30, tzinfo=UTC)
    detail = "until 2030-01-01 12:30 UTC"
    actions.record_event(hand.link(connection), Reason.TEMPORARILY_BANNED, detail, retry_at=until)
    response = look(alice)
    (row,) = response.context["sections"][1].rows
    assert (row["detail"], row["retryText"]) == ("until 2030-01-01T12:30:00+00:00", "")
    assert "<time data-retry hidden></time>" in text(response)


# --- Order and number ---------------------------------------------------------------------------


@pytest.fixture
def many(hand: FakeWorker) -> None:
    """Some of each, made in no particular order."""
    new("Zeta", State.CONNECTED, Reason.LINKED, 3, number=NUMBER)
    new("alpha", State.CONNECTED, Reason.LINKED, 9)
    new("Old", State.ACTION_NEEDED, Reason.BANNED, 600)
    new("New", State.ACTION_NEEDED, Reason.LOGGED_OUT_BY_PHONE, 2)
    new("Server", State.RECONNECTING, Reason.UNREACHABLE, 30)
    new("Retryable", State.RECONNECTING, Reason.LINK_LOST, 1)
    new("Scan", State.AWAITING_SCAN, Reason.WAITING_FOR_SCAN, 1)


def test_urgent_sections_have_the_longest_trouble_first_and_others_names(
    many: None, admin_user: User
) -> None:
    assert list(shown(look(admin_user)).items()) == [
        ("action_needed", ["Old", "New"]),
        ("reconnecting", ["Server", "Retryable"]),
        ("linking", ["Scan"]),
        ("connected", ["alpha", "Zeta"]),
    ]


def test_each_count_links_to_the_filtered_list(many: None, admin_user: User) -> None:
    set_active(Organization.objects.get(name="Zeta"), False, ALICE)
    for section in look(admin_user).context["sections"]:
        found = look(admin_user, section.list_url).context["cl"].result_list
        names = {connection.organization.name for connection in found}
        assert names >= {row["name"] for row in section.rows}, section.name
        assert len(names) == section.count


def test_long_section_is_cut_and_links_to_the_list(hand: FakeWorker, admin_user: User) -> None:
    for number in range(60):
        new(f"Number {number:02}", State.CONNECTED, Reason.LINKED)
    response = look(admin_user)
    assert shown(response) == {"connected": [f"Number {number:02}" for number in range(50)]}
    assert 'Show all (<span data-count="connected">60</span>)' in text(response)


@pytest.mark.parametrize("address", [PAGE, "/admin/"])
def test_number_of_queries_does_not_depend_on_the_rows(
    hand: FakeWorker, alice: User, address: str
) -> None:
    client = Client()
    client.force_login(alice)
    client.get(address)  # Some of what Django asks is kept.
    asked = []
    for several in (3, 80):
        for number in range(several):
            state = list(State)[number % len(State)]
            place = new(f"Number {several} {number}", state, Reason.LINKED).organization
            Membership.objects.create(user=alice, organization=place)
        with CaptureQueriesContext(database) as queries:
            assert client.get(address).status_code == 200
        asked.append(len(queries))
    # One is about webhooks: what arrived today, and which endpoints fail. Two are for the alarm.
    # One reads past hours for the charts, once in an hour.
    assert asked[0] == asked[1] <= 24


def test_number_of_queries_does_not_depend_on_unowned_rows(
    hand: FakeWorker, admin_user: User
) -> None:
    hand.die()
    organizations = [
        new(f"{number}", State.CONNECTED, Reason.LINKED, desired="connected", worker=None)
        for number in range(30)
    ]
    wanted = [connection.organization for connection in organizations]
    with CaptureQueriesContext(database) as queries:
        summaries = fleet.get_summaries(wanted, set())
    assert {summary["reason"] for summary in summaries.values()} == {Reason.WORKER_OFFLINE}
    assert len(queries) == 3


# --- Nothing the matter, and nothing there ------------------------------------------------------


def test_empty_fleet_says_what_to_do(admin_user: User, db: None) -> None:
    stranger = User.objects.create(username="stranger", is_staff=True)
    response = look(admin_user)
    assert response.context["health"] == FleetHealth.EMPTY
    assert "/admin/organizations/organization/add/" in text(response)
    assert "Ask an owner of yours" in text(look(stranger))
    assert "Add an organization" not in text(look(stranger))


def test_health_of_a_fleet_without_action_needed(
    connection: Connection, other_organization: Organization, admin_user: User, hand: FakeWorker
) -> None:
    caller = for_user(admin_user)
    actions.request_reconnect(connection.pk, ALICE)
    fence = hand.link(connection)
    assert fleet.get_fleet(caller).health == FleetHealth.QUIET
    set_active(other_organization, False, ALICE)
    assert fleet.get_fleet(caller).health == FleetHealth.WELL
    actions.record_event(fence, Reason.LOGGED_OUT_BY_PHONE)
    assert fleet.get_fleet(caller).health == FleetHealth.ACTION


def test_every_section_has_a_name() -> None:
    assert set(SECTION_NAMES) == set(Section)


# --- The menu of languages ----------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/admin/login/?next=/admin/", PAGE])
def test_every_page_is_translated(address: str, admin_client: Client) -> None:
    client = Client() if "login" in address else admin_client
    html = text(client.get(address))
    assert re.findall(r'name="language" value="([\w-]+)"', html) == ["en", "pt-br", "es"]
    for name in ("English", "Português Brasileiro", "Español"):
        assert f">{name}</button>" in html
    assert f'name="next" value="{address}"' in html
    with translation.override("en"):  # What a request activates stays active in a test.
        answer = client.post("/language/", {"language": "pt-br", "next": address})
        assert (answer.status_code, answer.headers["Location"]) == (302, address)
        assert '<html lang="pt-br"' in text(client.get(address))
