"""The events and attempts in Django admin: own organizations, and addresses for owners only."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections import actions
from connections.models import Connection, ConnectionEvent, PairingAttempt
from connections.tests.support.fake_worker import CODE, FakeWorker
from organizations.access import Actor
from organizations.models import Membership, Organization
from organizations.tests.support.adminpages import address, browser, rows, shown
from organizations.tests.support.users import member

ADDRESS = "198.51.100.4"
EVENTS, ATTEMPTS = "connectionevent", "pairingattempt"


@pytest.fixture
def olga(organization: Organization) -> User:
    """Owns the organization."""
    return member("olga", organization, Membership.Role.OWNER)


@pytest.fixture(autouse=True)
def history(
    connection: Connection, other_organization: Organization, hand: FakeWorker, alice: User
) -> None:
    """A code waits in each organization; Charlie asked for the one, Alice for the other."""
    actions.request_reconnect(connection.pk, Actor("alice", alice, None, ADDRESS))
    hand.show_code(connection)
    other = Connection.objects.of(other_organization)
    actions.request_reconnect(other.pk, Actor("charlie", None, None, "203.0.113.9"))
    hand.show_code(other, CODE + "other")


def test_member_sees_events_of_own_organizations(alice: User, bob: User) -> None:
    for user in (alice, bob):
        page = shown(user, address(EVENTS))
        assert "A QR code is waiting to be scanned." in page and "alice" in page
        assert "Globex" not in page and "charlie" not in page
        assert {row.connection.organization.name for row in rows(user, address(EVENTS))} == {"Acme"}


def test_only_owners_and_superusers_see_addresses(
    olga: User, alice: User, bob: User, admin_user: User
) -> None:
    for user in (olga, admin_user):
        assert ADDRESS in shown(user, address(EVENTS))
    for user in (alice, bob):
        assert ADDRESS not in shown(user, address(EVENTS))


def test_owner_of_one_organization_sees_only_its_addresses(
    olga: User, other_organization: Organization
) -> None:
    role = Membership.Role.VIEWER
    Membership.objects.create(user=olga, organization=other_organization, role=role)
    page = shown(olga, address(EVENTS))
    assert "charlie" in page and "203.0.113.9" not in page
    assert ADDRESS in page


def test_address_cannot_be_searched_or_sorted(bob: User) -> None:
    assert rows(bob, address(EVENTS, q=ADDRESS)) == []
    for query in ({"address": ADDRESS}, {"address__startswith": "1"}, {"user__password__gte": "a"}):
        assert browser(bob).get(address(EVENTS, **query)).status_code == 400


@pytest.mark.parametrize("model", [EVENTS, ATTEMPTS])
def test_search_and_filters_find_own_events_only(
    bob: User,
    admin_user: User,
    model: str,
    organization: Organization,
    other_organization: Organization,
) -> None:
    assert rows(bob, address(model, q="Globex")) == []
    assert rows(bob, address(model, organization=other_organization.pk)) == []
    assert rows(bob, address(model, organization=organization.pk)) != []
    everyones = len(rows(admin_user, address(model)))
    own = len(rows(admin_user, address(model, organization=organization.pk)))
    assert own * 2 == everyones


def test_events_are_filtered_by_reason_state_and_time(admin_user: User) -> None:
    asked = {"reason": "requested", "state__exact": "connecting"}
    assert len(rows(admin_user, address(EVENTS, **asked))) == 2
    assert rows(admin_user, address(EVENTS, at__year=2001)) == []


def test_attempt_list_shows_no_code(olga: User, admin_user: User, bob: User) -> None:
    for user in (olga, admin_user, bob):
        with CaptureQueriesContext(database) as queries:
            page = shown(user, address(ATTEMPTS))
        assert "1 of 6" in page and "QR code" in page
        assert CODE not in page
        read = [query["sql"] for query in queries if "started_by" in query["sql"]]
        assert read and not any('"code"' in sql or "phone_code" in sql for sql in read)


def test_code_cannot_be_searched_or_filtered(bob: User) -> None:
    """Bit by bit a filter would tell what it says."""
    assert rows(bob, address(ATTEMPTS, q="wa.me")) == []
    for field in ("code", "phone_code", "phone_number"):
        for how in ("", "__startswith", "__gte", "__isnull", "__regex"):
            where = address(ATTEMPTS, **{field + how: "h"})
            assert browser(bob).get(where).status_code == 400


def test_connection_cannot_be_filtered_by_its_secrets(bob: User) -> None:
    for field in ("requested_number__startswith", "store_name", "attempts__code__startswith"):
        assert browser(bob).get(address("connection", **{field: "h"})).status_code == 400


@pytest.mark.parametrize(("model", "field"), [(EVENTS, "at"), (ATTEMPTS, "started_at")])
def test_invalid_day_is_refused(admin_user: User, model: str, field: str) -> None:
    for day in ((int(20 * "9"), 1, 1), (2026, 2, 31), (0, 1, 1)):
        lookups = zip(("year", "month", "day"), map(str, day), strict=True)
        where = address(model, **{f"{field}__{part}": value for part, value in lookups})
        answer = browser(admin_user).get(where)
        assert (answer.status_code, answer.headers["Location"][-4:]) == (302, "?e=1")


@pytest.mark.parametrize("model", [EVENTS, ATTEMPTS])
def test_history_is_read_only(admin_user: User, model: str) -> None:
    client: Any = browser(admin_user)
    table: Any = {EVENTS: ConnectionEvent, ATTEMPTS: PairingAttempt}[model]
    before = table.objects.count()
    row = table.objects.all()[0]
    assert client.post(address(model, "add"), {"detail": "x"}).status_code == 403
    for page in ("change", "delete", "history"):
        where = address(model, page, row.pk)
        assert client.get(where).status_code == 404
        assert client.post(where, {"post": "yes"}).status_code == 404
    ticked = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    client.post(address(model), ticked)
    assert table.objects.count() == before
