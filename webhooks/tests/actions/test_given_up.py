"""One notice for many events that were given up, and one when all of them have arrived."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from notices.models import Trouble
from organizations.models import Organization
from webhooks.actions import endpoints, given_up, results
from webhooks.actions.results import Report
from webhooks.models import Cursor, Delivery, Endpoint
from webhooks.tests.support.events import THE_TESTS, append, make_endpoint, reread
from webhooks.tests.support.past import URL, deliver

pytestmark = pytest.mark.django_db

State = Delivery.State


@pytest.fixture
def endpoint(organization: Organization) -> Endpoint:
    append(organization, count=9)
    return make_endpoint(organization, URL)


def give_up(endpoint: Endpoint, sequence: int) -> Delivery:
    """Let a worker give an event up."""
    delivery = deliver(endpoint, sequence, state=State.DEAD, status=422)
    record(delivery)
    return delivery


def record(delivery: Delivery) -> None:
    """Store what came of a delivery, as a worker does."""
    cursor, endpoint = delivery.cursor, reread(delivery.endpoint)
    Cursor.objects.filter(pk=cursor.pk).update(lease_owner="w")
    report = Report(
        *(cursor.pk, endpoint.pk, endpoint.revision, delivery.sequence, cursor.due_at),
        slow=False,
        updated=[delivery],
    )
    results.record("w", [report])


def replay(delivery: Delivery, state: str) -> Delivery:
    """Return the delivery of the same event in a replay, with its end."""
    cursor = Cursor.objects.create(
        endpoint=delivery.endpoint, organization=delivery.organization, kind=Cursor.Kind.REPLAY
    )
    return Delivery.objects.create(
        endpoint=delivery.endpoint,
        organization=delivery.organization,
        cursor=cursor,
        sequence=delivery.sequence,
        type=delivery.type,
        event_at=delivery.event_at,
        state=state,
    )


def open_troubles() -> int:
    assert set(Trouble.objects.values_list("kind", flat=True)) <= {given_up.TROUBLE}
    return Trouble.objects.filter(ended_at=None).count()


def test_many_are_one_trouble_until_all_have_arrived(endpoint: Endpoint) -> None:
    dead = [give_up(endpoint, sequence) for sequence in (1, 3, 4)]
    trouble = Trouble.objects.get()
    assert (trouble.values, trouble.level) == ({"host": endpoint.host}, Trouble.Level.ACTION)
    assert trouble.path.endswith(f"/{endpoint.public_id}/")
    for left, delivery in zip((1, 1, 0), dead, strict=True):
        replay(delivery, State.DELIVERED)
        given_up.end_all_arrived()
        assert open_troubles() == left
    assert Trouble.objects.get().recovered and reread(endpoint).given_up_at is None


def test_event_that_is_given_up_a_day_later_is_told_again(endpoint: Endpoint) -> None:
    give_up(endpoint, 1)
    for hours, troubles in ((23, 1), (25, 2)):
        span = timedelta(hours=hours)
        Endpoint.objects.update(given_up_at=F("given_up_at") - span)
        give_up(endpoint, 1 + troubles)
        assert (Trouble.objects.count(), open_troubles()) == (troubles, 1)


def test_webhook_that_is_switched_off_is_told_of_in_another_way(endpoint: Endpoint) -> None:
    Endpoint.objects.update(state=Endpoint.State.DISABLED)
    give_up(endpoint, 1)
    assert not Trouble.objects.exists()


def test_replayed_event_that_had_arrived_before_is_no_trouble(endpoint: Endpoint) -> None:
    record(replay(deliver(endpoint, 1), State.DEAD))
    assert not Trouble.objects.exists()


def test_trouble_ends_without_a_word_when_nothing_is_kept_or_the_webhook_is_deleted(
    endpoint: Endpoint,
) -> None:
    give_up(endpoint, 1)
    Delivery.objects.all().delete()
    given_up.end_all_arrived()
    give_up(endpoint, 2)
    endpoints.delete(endpoint, THE_TESTS)
    assert open_troubles() == 0
    assert not Trouble.objects.filter(recovered=True).exists()
