"""What waits to be sent, in the metrics."""

from datetime import timedelta

import pytest
from django.utils import timezone

from messaging.models import Contact, Message
from monitoring import gauges
from organizations.models import Organization

pytestmark = pytest.mark.django_db


def message(state: str, minutes: int = 0) -> None:
    organization, _ = Organization.objects.get_or_create(name="Padaria")
    contact, _ = Contact.objects.get_or_create(organization=organization, number="5511987654321")
    Message.objects.create(
        organization=organization,
        contact=contact,
        direction="out",
        type="text",
        content={},
        state=state,
        created_at=timezone.now() - timedelta(minutes=minutes),
    )


def test_waiting_messages_are_counted_by_state() -> None:
    for state in ("queued", "queued", "held", "sending", "sent", "failed"):
        message(state)
    assert gauges.read().messages == {"queued": 2, "held": 1, "sending": 1}


def test_age_is_that_of_the_oldest_queued_message() -> None:
    message("queued", minutes=1)
    message("queued", minutes=5)
    message("held", minutes=60)
    assert 300 <= gauges.read().oldest_message_seconds < 360


def test_nothing_waits_without_messages() -> None:
    assert (gauges.read().messages, gauges.read().oldest_message_seconds) == ({}, 0.0)
