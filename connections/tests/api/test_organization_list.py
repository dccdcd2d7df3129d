"""`GET /organizations` tells how the connection of each is, and lists those in a state."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections import actions
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import Actor
from organizations.models import Membership, Organization
from organizations.tests.support.api import Api

TESTS = Actor("the tests")


def add(user: User, name: str, **columns: object) -> Organization:
    organization = Organization.objects.create(name=name)
    Membership.objects.create(user=user, organization=organization)
    Connection.objects.create(organization=organization, **columns)
    return organization


def listed(user: User, query: str = "") -> list[dict[str, Any]]:
    answer = Api(user)("get", f"/organizations{query}")
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


def names(user: User, query: str) -> list[str]:
    return [row["name"] for row in listed(user, query)]


def test_list_and_detail_have_the_state_that_the_status_has(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, TESTS)
    hand.link(connection)
    (row,) = listed(alice)
    status = Api(alice)("get", f"/organizations/{connection.pk}/whatsapp/status").json()
    for name in ("number", "state", "reason", "since"):
        assert row[name] == status[name] != None, name  # noqa: E711
    assert Api(alice)("get", f"/organizations/{connection.pk}").json() == row
    # Without a worker nobody holds it, whatever the row says.
    hand.die()
    (row,) = listed(alice)
    assert (row["state"], row["reason"]) == ("reconnecting", "worker_offline")


def test_list_is_filtered_by_state_and_reason(alice: User, hand: FakeWorker) -> None:
    up = {"desired": Desired.CONNECTED, "worker": hand.worker}
    add(alice, "Up", state=State.CONNECTED, reason=Reason.LINKED, **up)
    add(alice, "Down", state=State.ACTION_NEEDED, reason=Reason.LOGGED_OUT_BY_PHONE, **up)
    add(alice, "Server", state=State.RECONNECTING, reason=Reason.UNREACHABLE, **up)
    Membership.objects.create(user=alice, organization=Organization.objects.create(name="New"))
    foreign = Organization.objects.create(name="Foreign")
    Connection.objects.create(organization=foreign, state=State.CONNECTED, **up)
    assert names(alice, "?state=connected") == ["Up"]
    assert names(alice, "?state=action_needed,%20reconnecting") == ["Down", "Server"]
    assert names(alice, "?reason=unreachable") == ["Server"]
    assert names(alice, "?reason=never_connected&state=disconnected") == ["Acme", "New"]
    assert names(alice, "?state=connected&q=down") == []


@pytest.mark.parametrize(
    "query", ["?state=up", "?state=", "?reason=connected", "?state=connected,"]
)
def test_unknown_state_or_reason_gets_400(alice: User, query: str) -> None:
    answer = Api(alice)("get", f"/organizations{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_number_of_queries_does_not_depend_on_the_rows(alice: User, hand: FakeWorker) -> None:
    asked = []
    listed(alice)  # Her first organization gets its connection.
    for several in (2, 40):
        for number in range(several):
            add(alice, f"Shop {several} {number}", state=State.CONNECTED, worker=hand.worker)
        api = Api(alice)
        with CaptureQueriesContext(database) as queries:
            assert api("get", "/organizations?state=connected,reconnecting").status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1]
