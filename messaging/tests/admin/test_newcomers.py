"""The newcomer's card on the fleet page: who gets it, what it ticks, and how it goes away."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from connections.models import Connection
from messaging.models import Message
from messaging.tests.support.rows import make_message
from organizations.models import Organization
from organizations.tests.support.adminpages import browser, shown

State = Message.State


@pytest.fixture(autouse=True)
def simulator(settings: Settings) -> None:
    settings.WHATSAPP_SERVER = "simulator"


def steps(user: User) -> tuple[int, int]:
    """Return how many steps are done, and the number of the next; (0, 0) without a card."""
    html = shown(user, reverse("traffic_today"))
    found = re.search(
        r'<div data-newcomer class="newcomer" (hidden)?>(.*?)</div>\s*<div', html, re.S
    )
    assert found
    if found[1]:
        return 0, 0
    items = re.findall(r"<li.*?</li>", found[2], re.S)
    assert len(items) == 5
    done = ['class="done"' in item for item in items]
    (following,) = (at for at, item in enumerate(items, start=1) if "aria-current" in item)
    return sum(done), following


def link(organization: Organization) -> None:
    Connection.objects.update_or_create(
        organization=organization, defaults={"number": "5511911112222", "state": "connected"}
    )


def test_each_step_is_ticked_when_it_was_done_and_then_the_card_is_gone(
    olga: User, organization: Organization, other_organization: Organization
) -> None:
    link(other_organization)
    make_message(other_organization)
    contact = make_message(other_organization).contact

    def arrive() -> None:
        received = make_message(organization)
        received.contact.last_received_at = timezone.now()
        received.contact.save()

    def answer() -> None:
        make_message(organization, state=State.QUEUED)

    def deliver() -> None:
        Message.objects.filter(organization=organization, state=State.QUEUED).update(
            state=State.DELIVERED
        )

    assert contact.organization_id == other_organization.pk
    assert steps(olga) == (0, 1)
    happens: list[tuple[Callable[[], None], tuple[int, int]]] = [
        (lambda: link(organization), (1, 2)),
        (arrive, (3, 4)),
        (answer, (4, 5)),
        (deliver, (0, 0)),
    ]
    for happen, expected in happens:
        happen()
        assert steps(olga) == expected


def test_messages_to_people_who_never_wrote_are_not_read(
    olga: User, organization: Organization
) -> None:
    link(organization)
    make_message(organization, state=State.READ)
    with CaptureQueriesContext(connection) as captured:
        assert steps(olga) == (1, 2)
    asked = [query["sql"] for query in captured if "last_received_at" in query["sql"]]
    # From the people who wrote, and only then to their messages.
    assert asked and all('AS "a" FROM "messaging_contact"' in sql for sql in asked)


def test_card_leads_to_where_each_step_is_done(
    olga: User, root: User, organization: Organization
) -> None:
    log = reverse("messages", args=[organization.pk])
    places = [reverse("admin:connections_connection_change", args=[organization.pk]), log]
    places += [f"{log}#customer-{name}" for name in ("text", "answer", "talk")]
    places += [reverse("webhooks", args=[organization.pk]) + "#catch-title"]
    for user in (olga, root):
        html = shown(user, reverse("fleet"))
        assert all(f'href="{place}"' in html for place in places)
    named = set(re.findall(r' id="(customer-\w+)"', shown(olga, log)))
    assert named >= {"customer-text", "customer-answer", "customer-talk"}


def test_card_that_was_put_away_stays_away_for_that_person(
    olga: User, root: User, organization: Organization
) -> None:
    for _ in range(2):
        assert browser(olga).post(reverse("newcomer_put_away")).status_code == 302
    assert steps(olga) == (0, 0)
    assert steps(root) == (0, 1)


def test_card_is_for_those_who_may_take_its_steps_and_for_the_simulator(
    bob: User, alice: User, organization: Organization, settings: Settings
) -> None:
    assert steps(bob) == steps(alice) == (0, 0)
    Organization.objects.update(operators_read_messages=True)
    assert steps(alice) == (0, 1)
    assert "Catch it here" not in shown(alice, reverse("fleet"))
    settings.WHATSAPP_SERVER = "live"
    assert steps(alice) == (0, 0)
    assert browser(alice).post(reverse("newcomer_put_away")).status_code == 404
