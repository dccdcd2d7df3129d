"""Webhooks on the fleet page, and the page of the installation."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from organizations.access import for_user
from organizations.models import Organization
from organizations.tests.support.adminpages import browser, shown
from webhooks.admin.fleet import fleet_webhooks_of
from webhooks.models import Delivery, Endpoint
from webhooks.tests.admin.test_deliveries import plain
from webhooks.tests.support.events import append, make_endpoint
from webhooks.tests.support.past import HOST, SECRET_PATH, URL, deliver, fail_for

State = Delivery.State


def fleet(user: User) -> str:
    return plain(shown(user, reverse("fleet")))


@pytest.fixture
def failing(organization: Organization, endpoint: Endpoint) -> Endpoint:
    """An endpoint that took one event and fails since ten minutes; three events wait."""
    append(organization, count=4)
    deliver(endpoint, 1)
    deliver(endpoint, 2, state=State.RETRYING, status=500)
    fail_for(endpoint, timedelta(minutes=10))
    return endpoint


def test_fleet_without_webhooks_says_nothing_of_them(bob: User, organization: Organization) -> None:
    html = shown(bob, reverse("fleet"))
    assert not re.search(r"data-troubles [^>]*>", html) or "hidden" in html
    assert fleet_webhooks_of(for_user(bob)).endpoints == 0
    assert "webhooks" not in re.sub(r".*data-traffic>|</p>.*", "", html, flags=re.S)


def test_line_and_section_name_the_failing_endpoint(bob: User, failing: Endpoint) -> None:
    html = fleet(bob)
    assert "webhooks 50.0 %, 1 endpoint failing" in html
    assert "Delivery trouble 1 Acme" in html and HOST in html
    assert "The server answered with status 500. 3 events wait." in html
    assert SECRET_PATH not in shown(bob, reverse("fleet"))


def test_section_is_part_of_what_the_script_takes(bob: User, failing: Endpoint) -> None:
    assert "Delivery trouble 1 Acme" in plain(shown(bob, reverse("traffic_today")))


def test_first_minute_is_no_trouble_yet(bob: User, failing: Endpoint) -> None:
    fail_for(failing, timedelta(seconds=30))
    assert "failing" not in fleet(bob)


@pytest.mark.parametrize(
    ("state", "reason", "counts"),
    [
        ("paused", "paused_by_person", False),
        ("paused", "not_verified", False),
        ("paused", "maker_lost_right", True),
        ("disabled", "gone", True),
        ("disabled", "failing", True),
    ],
)
def test_what_the_service_switched_off_is_trouble_and_a_pause_is_not(
    bob: User, endpoint: Endpoint, state: str, reason: str, counts: bool
) -> None:
    Endpoint.objects.update(state=state, reason=reason)
    found = fleet_webhooks_of(for_user(bob))
    assert (found.failing, len(found.troubles)) == ((1, 1) if counts else (0, 0))
    assert ("Every webhook gets its events." in shown(bob, reverse("webhooks"))) != counts


def test_people_see_the_trouble_of_their_organizations(
    bob: User, charlie: User, root: User, failing: Endpoint
) -> None:
    everywhere = make_endpoint(None, URL)
    fail_for(everywhere, timedelta(hours=1))
    assert [fleet_webhooks_of(for_user(user)).failing for user in (bob, charlie, root)] == [1, 0, 2]
    page = reverse("webhooks")
    assert HOST in shown(bob, page) and HOST not in shown(charlie, page)
    assert "All organizations" in shown(root, page) and SECRET_PATH in shown(root, page)
    assert "Webhooks of all organizations" not in shown(bob, page)


def test_queries_do_not_depend_on_the_number_of_endpoints(
    bob: User, organization: Organization
) -> None:
    caller = for_user(bob)
    make_endpoint(organization, URL)
    with CaptureQueriesContext(connection) as queries:
        fleet_webhooks_of(caller)
    assert len(queries) == 1
    asked = []
    for count in (1, 4):
        for _ in range(count):
            endpoint = make_endpoint(organization, URL, types=("message.received",))
            fail_for(endpoint, timedelta(hours=1))
        with CaptureQueriesContext(connection) as queries:
            fleet_webhooks_of(caller)
        asked.append(len(queries))
    assert asked[0] == asked[1] == 3


def test_deleted_endpoint_is_nowhere(olga: User, failing: Endpoint) -> None:
    browser(olga).post(reverse("webhook_delete", args=[failing.organization_id, failing.public_id]))
    assert HOST not in fleet(olga) + shown(olga, reverse("webhooks"))
