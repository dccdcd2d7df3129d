"""`GET events`: both histories as one, who sees which lines, and pages that stay where they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from connections import actions
from connections.history.entries import AUDIT, CONNECTION, LineQuery, Position, lines, parse_cursor
from connections.lifecycle import Reason
from connections.models import Connection, ConnectionEvent
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import Actor
from organizations.actions import rename_organization, set_member
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.api import UNKNOWN, Api, error, olivia, root

__all__ = ["olivia", "root"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINE = {
    "id",
    "at",
    "kind",
    "event",
    "state",
    "stateBefore",
    "reason",
    "sentence",
    "detail",
    "actor",
    "address",
    "attempt",
}


@pytest.fixture
def path(connection: Connection) -> str:
    return f"/organizations/{connection.pk}/events"


@pytest.fixture
def eventful(connection: Connection, hand: FakeWorker, olivia: User, bob: User) -> Connection:
    """Olivia asks, a phone links, the link drops, and she renames the organization."""
    someone = Actor("olivia", olivia, None, "192.0.2.7")
    actions.request_reconnect(connection.pk, someone)
    actions.record_event(hand.link(connection), Reason.LINK_LOST, "reset by peer")
    rename_organization(connection.organization, "Acme 2", someone)
    return connection


def told(api: Api, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api("get", path).json()["results"]
    assert all(set(row) == LINE for row in rows)
    return rows


def test_owner_sees_events_and_audit_entries(eventful: Connection, path: str, olivia: User) -> None:
    rows = told(Api(olivia), path)
    assert [row["event"] for row in rows] == [
        "organization_renamed",
        "link_lost",
        "linked",
        "code_accepted",
        "code_shown",
        "pairing_started",
        "reconnect_requested",
    ]
    renamed, lost, *_, requested = rows
    assert {
        "kind": "audit",
        "sentence": "Organization renamed.",
        "detail": "Acme → Acme 2",
        "actor": "olivia",
        "address": "192.0.2.7",
        "state": None,
        "stateBefore": None,
        "reason": None,
        "attempt": None,
    }.items() <= renamed.items()
    assert {
        "kind": "connection",
        "state": "reconnecting",
        "stateBefore": "connected",
        "reason": "link_lost",
        "sentence": "The connection to WhatsApp dropped.",
        "detail": "reset by peer",
        "actor": None,
        "address": None,
    }.items() <= lost.items()
    assert (requested["actor"], requested["address"]) == ("olivia", "192.0.2.7")
    assert rows[2]["attempt"] == eventful.attempts.get().pk


def test_others_see_events_without_addresses(
    eventful: Connection, path: str, alice: User, bob: User, olivia: User, root: User
) -> None:
    own = Api(olivia, "manage", eventful.organization)
    for api in (Api(alice), Api(bob), Api(olivia, "read"), Api(root, "read"), own):
        rows = told(api, path)
        assert {row["kind"] for row in rows} == {"connection"}
        assert {row["address"] for row in rows} == {None}
        assert rows[-1]["actor"] == "olivia"
        assert told(api, f"{path}?kind=audit") == []
    assert told(Api(root), path)[-1]["address"] == "192.0.2.7"


def test_outsider_gets_404(eventful: Connection, path: str, charlie: User) -> None:
    assert error(Api(charlie)("get", path)) == UNKNOWN


def test_history_has_only_its_organization(
    eventful: Connection, path: str, olivia: User, other_organization: Organization
) -> None:
    set_member(other_organization, olivia, Membership.Role.OWNER, Actor("x"))
    rows = told(Api(olivia), f"/organizations/{other_organization.pk}/events")
    assert [row["detail"] for row in rows] == ["olivia: owner"]
    assert len(told(Api(olivia), path)) == 7


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("kind=audit", ["organization_renamed"]),
        ("kind=connection&reason=link_lost", ["link_lost"]),
        ("reason=linked", ["linked"]),
        ("kind=audit&reason=linked", []),
        ("until=2026-03-01T12:00:00Z", []),
        ("since=2026-03-01T12:00:01Z&until=2026-03-01T12:00:02Z", ["pairing_started"]),
        ("since=2026-03-01T13:00:06%2B01:00", ["organization_renamed"]),
    ],
)
def test_filters_select_lines(
    eventful: Connection, path: str, olivia: User, query: str, events: list[str]
) -> None:
    for second, event in enumerate(ConnectionEvent.objects.order_by("pk")):
        at = NOON + timedelta(seconds=second)
        ConnectionEvent.objects.filter(pk=event.pk).update(at=at)
    AuditEntry.objects.update(at=NOON + timedelta(seconds=6))
    rows = told(Api(olivia), f"{path}?{query}")
    # Making Olivia's token here is no line of the organization's.
    assert [row["event"] for row in rows] == events


CURSOR = Position(NOON, CONNECTION, 7).cursor


@pytest.mark.parametrize(
    "query",
    [
        "kind=x",
        "reason=x",
        "since=yesterday",
        "until=9999-12-31T23:59:59-23:00",
        "pageSize=0",
        "pageSize=201",
        "cursor=x",
        "cursor=" + "A" * 201,
        "cursor=" + CURSOR + "A",
        "cursor=%00",
        "cursor=Ü",
        "cursor=" + Position(NOON.replace(tzinfo=None), CONNECTION, 7).cursor,
        "cursor=" + Position(NOON, "other", 7).cursor,
    ],
)
def test_invalid_parameter_gets_400(path: str, olivia: User, query: str) -> None:
    status, code, message = error(Api(olivia)("get", f"{path}?{query}"))
    assert (status, code) == (400, "invalid")
    assert message.startswith(query.split("=")[0] + ": ")


@pytest.mark.parametrize("number", [0, -1, 10**40])
def test_made_up_cursor_is_accepted(
    eventful: Connection, path: str, olivia: User, number: int
) -> None:
    for kind in (CONNECTION, AUDIT):
        at = ConnectionEvent.objects.order_by("at")[3].at
        assert (
            Api(olivia)("get", f"{path}?cursor={Position(at, kind, number).cursor}").status_code
            == 200
        )


def test_pages_are_stable_while_lines_are_added(
    eventful: Connection, path: str, olivia: User
) -> None:
    api = Api(olivia)
    whole = told(api, path)
    seen: list[dict[str, Any]] = []
    address: str | None = f"{path}?pageSize=2"
    while address:
        answer = api("get", address).json()
        seen += answer["results"]
        address = answer["next"] and answer["next"].removeprefix("http://testserver/api/v1")
        rename_organization(eventful.organization, f"Acme {len(seen)}", Actor("olivia"))
    assert seen == whole


class PagesAddUp(TestCase):
    """Also where many lines of both kinds bear the same moment."""

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12), st.integers(1, 5))
    @settings(max_examples=30, deadline=None)
    def test_pages_together_have_every_line_once(
        self, made: list[tuple[bool, int]], size: int
    ) -> None:
        organization = Organization.objects.create(name="Acme")
        connection = Connection.objects.of(organization)
        for is_audit, second in made:
            at = NOON + timedelta(seconds=second)
            if is_audit:
                AuditEntry.objects.create(organization=organization, at=at, action="token_created")
            else:
                ConnectionEvent.objects.create(connection=connection, at=at)
        both = frozenset({CONNECTION, AUDIT})
        whole = [place for place, _ in lines(LineQuery(organization.pk, both), 100)]
        assert whole == sorted(whole, reverse=True)
        assert len(whole) == len(made)
        seen: list[Position] = []
        while page := lines(
            LineQuery(organization.pk, both, before=seen[-1] if seen else None), size
        ):
            seen += [place for place, _ in page]
        assert seen == whole


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from([CONNECTION, AUDIT]), st.integers(0))
def test_cursor_is_parsed_to_its_position(at: datetime, kind: str, number: int) -> None:
    place = Position(at, kind, number)
    assert parse_cursor(place.cursor) == place
