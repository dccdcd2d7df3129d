"""Webhooks in the metrics: their states, what waits, and what was delivered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events.models import Event
from monitoring import exposition, gauges
from monitoring.tests.test_metrics import value, values_of
from monitoring.totals import Totals
from organizations.models import Organization
from organizations.tests.support.users import organization
from webhooks.actions import totals
from webhooks.models import Attempt, Cursor, Delivery, Endpoint, Total
from webhooks.tests.support.events import append, make_endpoint

__all__ = ["organization"]

pytestmark = pytest.mark.django_db

State = Delivery.State
URL = "https://crm.example.com/hooks?key=secret"


def scrape() -> dict[Any, float]:
    """Return every sample of the page."""
    return values_of(exposition.text({}, 0, (gauges.read(), Totals(), 0.1)))


def by_state(name: str) -> dict[str, float]:
    states = ("enabled", "failing", "paused", "disabled")
    return {state: value(scrape(), name, state=state) for state in states}


def change(endpoint: Endpoint, **fields: Any) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(**fields)


def test_webhooks_are_counted_by_state(organization: Organization) -> None:
    made = [make_endpoint(organization, URL) for _ in range(6)]
    now = timezone.now()
    for endpoint in made[1:3]:
        change(endpoint, failing_since=now)
    change(made[3], state="paused", failing_since=now)
    change(made[4], state="disabled")
    change(made[5], deleted_at=now)
    assert by_state("webhooks") == {"enabled": 1, "failing": 2, "paused": 1, "disabled": 1}


def test_events_behind_a_webhook_wait_and_the_oldest_has_an_age(organization: Organization) -> None:
    taken, failing, deleted = (make_endpoint(organization, URL) for _ in range(3))
    assert set(by_state("oldest_waiting_webhook_event_seconds").values()) == {0}
    append(organization, count=5)
    for sequence in range(1, 6):
        at = timezone.now() - timedelta(minutes=10 - sequence)
        Event.objects.filter(sequence=sequence).update(at=at)
    change(failing, failing_since=timezone.now())
    change(deleted, deleted_at=timezone.now())
    Cursor.objects.filter(endpoint=taken).update(position=5)
    Cursor.objects.filter(endpoint=failing).update(position=3)
    # What is sent again is not what waits.
    Cursor.objects.create(endpoint=taken, organization=organization, kind="replay", end=5)
    waiting = by_state("waiting_webhook_events")
    assert waiting == {"enabled": 0, "failing": 2, "paused": 0, "disabled": 0}
    ages = by_state("oldest_waiting_webhook_event_seconds")
    assert 6 * 60 <= ages["failing"] < 7 * 60 and sum(ages.values()) == ages["failing"]


def test_events_that_were_deleted_have_no_age(organization: Organization) -> None:
    make_endpoint(organization, URL)
    append(organization, count=2)
    Event.objects.all().delete()
    assert by_state("waiting_webhook_events")["enabled"] == 2
    assert by_state("oldest_waiting_webhook_event_seconds")["enabled"] == 0


def test_what_was_delivered_is_counted_by_outcome_and_time() -> None:
    live, test = Cursor(kind="live"), Cursor(kind="test")
    for _ in range(2):
        deliveries = [
            Delivery(cursor=cursor, state=state)
            for state in (State.DELIVERED, State.DELIVERED, State.DEAD, State.RETRYING)
            for cursor in (live, test)
        ]
        attempts = [
            Attempt(delivery=Delivery(cursor=cursor), milliseconds=milliseconds, failure=failure)
            for milliseconds, failure in ((40, ""), (50, ""), (300, ""), (10_001, "timed_out"))
            for cursor in (live, test)
        ]
        totals.add(deliveries, attempts)
    values = scrape()
    outcomes = {"delivered": 4, "dead": 2, "dropped": 0}
    for outcome, count in outcomes.items():
        assert value(values, "webhook_deliveries_total", outcome=outcome) == count
    name = "webhook_attempt_seconds"
    for bound, count in (("0.05", 4), ("0.25", 4), ("0.5", 6), ("+Inf", 6)):
        assert value(values, f"{name}_bucket", outcome="taken", le=bound) == count
    assert value(values, f"{name}_sum", outcome="taken") == pytest.approx(0.78)
    assert value(values, f"{name}_bucket", outcome="failed", le="10.0") == 0
    assert value(values, f"{name}_count", outcome="failed") == 2
    assert Total.objects.count() == 5


def test_no_address_and_no_organization_is_exposed(organization: Organization) -> None:
    make_endpoint(organization, URL)
    append(organization)
    text = exposition.text({}, 0, (gauges.read(), Totals(), 0.1))
    for secret in (organization.name, "crm.example.com", "secret"):
        assert secret not in text
