"""From a message to the deliveries of its events, and back."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse

from events import log
from events.log import NewEvent
from messaging.models import Message
from messaging.tests.support.rows import make_message
from organizations.models import Organization
from organizations.tests.support.adminpages import shown
from webhooks.models import Cursor, Delivery, Endpoint
from webhooks.tests.admin.test_deliveries import keys, page, plain
from webhooks.tests.support.events import RECEIVED, make_endpoint
from webhooks.tests.support.past import HOST, SECRET_PATH, URL, deliver

State = Delivery.State


def append_about(*messages: Message) -> None:
    with transaction.atomic():
        for message in messages:
            log.append(message.organization_id, [NewEvent(RECEIVED, {}, message.public_id)])


def message_page(message: Message) -> str:
    return reverse("message", args=[message.organization_id, message.public_id])


def delivery_page(delivery: Delivery) -> str:
    own = [delivery.organization_id] if delivery.endpoint.organization_id else []
    return reverse("webhook_delivery", args=[*own, delivery.endpoint.public_id, delivery.public_id])


@pytest.fixture
def two(organization: Organization, endpoint: Endpoint) -> list[Message]:
    """Two messages; of the first one the event was given up, of the second one it was taken."""
    messages = [make_message(organization), make_message(organization)]
    append_about(*messages)
    deliver(endpoint, 1, state=State.DEAD, status=500)
    deliver(endpoint, 2)
    return messages


def test_message_leads_to_its_deliveries_and_they_back(
    bob: User, endpoint: Endpoint, two: list[Message]
) -> None:
    dead, taken = Delivery.objects.order_by("sequence")
    html = shown(bob, message_page(two[0]))
    text = plain(html)
    assert f"message.received 1 {HOST} Given up 500 · 120 ms" in text and "Delivered" not in text
    assert delivery_page(dead) in html and delivery_page(taken) not in html
    assert SECRET_PATH not in html
    filtered = f"{page(endpoint)}?message={two[0].public_id}"
    assert f'"{filtered}"' in html
    log_html = shown(bob, filtered)
    assert keys(log_html) == [dead.public_id]
    assert f"?show=delivered&amp;message={two[0].public_id}" in log_html
    assert keys(shown(bob, f"{filtered}&show=delivered")) == []
    assert message_page(two[0]) in shown(bob, delivery_page(dead))


def test_message_without_webhooks_says_so(
    bob: User, organization: Organization, endpoint: Endpoint
) -> None:
    message = make_message(organization)
    assert "Events sent" not in shown(bob, message_page(message))
    append_about(message)
    assert "None of its events was sent yet." in shown(bob, message_page(message))
    endpoint.delete()
    assert "No webhook gets its events." in shown(bob, message_page(message))


def test_deliveries_to_the_installation_are_for_administrators(
    olga: User, root: User, organization: Organization
) -> None:
    message = make_message(organization)
    append_about(message)
    everywhere = make_endpoint(None, URL)
    Cursor.objects.filter(endpoint=everywhere).update(organization=organization)
    delivery = deliver(everywhere, 1)
    assert delivery_page(delivery) in shown(root, message_page(message))
    assert keys(shown(root, f"{page(everywhere)}?message={message.public_id}")) == [
        delivery.public_id
    ]
    assert message_page(message) in shown(root, delivery_page(delivery))
    assert "No webhook gets its events." in shown(olga, message_page(message))


def test_filter_by_another_organizations_message_shows_nothing(
    bob: User, other_organization: Organization, endpoint: Endpoint, two: list[Message]
) -> None:
    foreign = make_message(other_organization)
    append_about(foreign)
    for message_id in (foreign.public_id, "x" * 50):
        html = shown(bob, f"{page(endpoint)}?message={message_id}")
        assert keys(html) == [] and "There are no such deliveries." in html
