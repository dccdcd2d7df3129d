"""The expected number on the connection page: who sees it, and who changes it."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.models import User

from connections import actions
from connections.lifecycle import Reason
from connections.models import Connection
from connections.tests.admin.test_admin import JSON, browser, get, page, text
from connections.tests.admin.test_live_page import ALICE, WRITTEN, told
from connections.tests.support.fake_worker import NUMBER, FakeWorker
from organizations.models import Membership, Organization
from organizations.tests.support.users import member


def change_expected(user: User, connection: Connection, number: str, **headers: Any) -> Any:
    address = page(connection.organization, "expected_number")
    return browser(user).post(address, {"expectedNumber": number}, headers=headers or None)


def test_wrong_phone_shows_the_expected_number_and_lets_owners_change_it(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    owner = member("olivia", connection.organization, Membership.Role.OWNER)
    Organization.objects.filter(pk=connection.pk).update(expected_number="12025550123")
    actions.request_reconnect(connection.pk, ALICE)
    fence, _ = hand.show_code(connection)
    actions.record_event(fence, Reason.WRONG_NUMBER, f"its number ends in {NUMBER[-4:]}")
    for user in (alice, owner):
        html = text(get(user, page(connection.organization)))
        assert re.search(r'data-can="expectedText"\s*>', html) and "+1 202-555-0123" in html
        assert ("Change…" in html) == (user == owner)
    assert change_expected(alice, connection, WRITTEN).status_code == 403
    refused = change_expected(owner, connection, "123")
    assert refused.status_code == 409
    assert re.search(r'id="expected-problem"[^>]*>Write the whole number', text(refused))
    assert change_expected(owner, connection, WRITTEN, **JSON).json()["success"]
    assert told(connection)["expectedText"] == WRITTEN
    # As it is written within the country of the expected number.
    assert change_expected(owner, connection, "11 91234-5678", **JSON).json()["success"]
    assert told(connection)["expectedText"] == "+55 11 91234-5678"
    assert change_expected(owner, connection, " ").status_code == 302
    assert told(connection)["expectedText"] == ""


def test_no_number_is_expected_while_a_login_is_used(
    connection: Connection, hand: FakeWorker
) -> None:
    Organization.objects.filter(pk=connection.pk).update(expected_number=NUMBER)
    assert told(connection)["expectedText"] == WRITTEN
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    assert told(connection)["expectedText"] == ""
