"""Tests, deliveries sent again and replays go beside the new events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from connections.tests.support.waiting import async_until
from events.models import Event
from organizations.models import Organization
from webhooks import refusals
from webhooks.actions import endpoints, repeats
from webhooks.models import Cursor, Delivery
from webhooks.tests.support.events import RECEIVED, STATUS, THE_TESTS, append, make_endpoint
from webhooks.tests.support.receiver import OK, Receiver, Reply
from webhooks.tests.support.rows import until_ended
from webhooks.tests.support.workers import working

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://crm.example.com/"


async def test_test_event_is_sent_once_also_while_paused(organization: Organization) -> None:
    async with Receiver(lambda received: Reply(500)) as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        await sync_to_async(endpoints.pause)(endpoint, THE_TESTS)
        async with working():
            delivery = await sync_to_async(repeats.test)(endpoint, THE_TESTS)
            assert await until_ended(organization, 1) == [(1, "dead")]
            receiver.answer = lambda received: OK
            await sync_to_async(repeats.test)(endpoint, THE_TESTS)
            assert await until_ended(organization, 2) == [(1, "dead"), (1, "delivered")]
    first, second = receiver.received
    assert first.id == delivery.webhook_id != second.id
    assert first.body["type"] == "webhook.test"
    assert (first.body["organization"], first.body["sequence"]) == (organization.pk, 0)


async def test_test_of_an_endpoint_of_all_organizations_belongs_to_none() -> None:
    async with Receiver() as receiver:
        endpoint = await sync_to_async(make_endpoint)(None, receiver.url)
        async with working():
            await sync_to_async(repeats.test)(endpoint, THE_TESTS)
            await async_until(lambda: len(receiver.received) == 1, "the test")
    assert receiver.received[0].body["organization"] is None


async def test_delivery_is_sent_again_with_the_same_id_by_a_new_row(
    organization: Organization,
) -> None:
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization, count=3)
            await until_ended(organization, 3)
            rows = Delivery.objects.select_related("endpoint__organization", "cursor")
            old = await rows.aget(sequence=2)
            new = await sync_to_async(repeats.resend)(old, THE_TESTS)
            await until_ended(organization, 4)
    assert receiver.sequences == [1, 2, 3, 2]
    assert receiver.received[3].id == receiver.received[1].id
    found = await Delivery.objects.aget(pk=new.pk)
    assert (found.original_id, found.state, found.tries) == (old.pk, "delivered", 1)


async def test_replay_sends_in_order_beside_the_new_events_and_names_the_old_rows(
    organization: Organization,
) -> None:
    async with Receiver() as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization, count=40)
            await until_ended(organization, 40)
            receiver.answer = lambda received: Reply(delay=0.01)
            (replay,) = await sync_to_async(repeats.replay)(endpoint, THE_TESTS, from_sequence=11)
            await sync_to_async(append)(organization, count=5)
            await until_ended(organization, 75)
    assert (replay.from_sequence, replay.to_sequence, replay.events) == (11, 40, 30)
    later = receiver.sequences[40:]
    assert [found for found in later if found <= 40] == list(range(11, 41))
    assert [found for found in later if found > 40] == list(range(41, 46))
    repeated = Delivery.objects.filter(cursor__kind="replay").select_related("original")
    pairs = [(row.sequence, row.original and row.original.sequence) async for row in repeated]
    assert sorted(pairs) == [(number, number) for number in range(11, 41)]
    ids = {received.id for received in receiver.received}
    assert len(ids) == 45


async def test_failing_replay_does_not_stop_the_new_events(organization: Organization) -> None:
    async with Receiver() as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization, count=2)
            await until_ended(organization, 2)
            receiver.answer = lambda received: Reply(500) if received.body["sequence"] < 3 else OK
            await sync_to_async(repeats.replay)(endpoint, THE_TESTS, from_sequence=1)
            await async_until(lambda: receiver.sequences == [1, 2, 1], "the replay")
            await sync_to_async(append)(organization)
            await until_ended(organization, 3)
    assert receiver.sequences == [1, 2, 1, 3]


# --- Refusals -------------------------------------------------------------------------------------


def taken(organization: Organization, *kinds: Any) -> Any:
    """Return an endpoint that has got these events."""
    endpoint = make_endpoint(organization, URL)
    append(organization, *kinds)
    Cursor.objects.update(position=len(kinds))
    return endpoint


def test_replay_by_time_begins_with_the_first_event_since_then(
    organization: Organization, other_organization: Organization
) -> None:
    endpoint = make_endpoint(None, URL)
    for each in (organization, other_organization):
        append(each, RECEIVED, STATUS, RECEIVED)
    Event.objects.filter(sequence=1).update(at=timezone.now() - timedelta(hours=1))
    Cursor.objects.update(position=3)
    replays = repeats.replay(endpoint, THE_TESTS, from_time=timezone.now() - timedelta(minutes=10))
    assert [(found.from_sequence, found.to_sequence) for found in replays] == [(2, 3), (2, 3)]
    assert {found.organization_id for found in replays} == {
        organization.pk,
        other_organization.pk,
    }


def test_replay_of_nothing_or_beside_another_one_is_refused(organization: Organization) -> None:
    endpoint = taken(organization, RECEIVED, RECEIVED)
    with pytest.raises(refusals.UnknownEvents):
        repeats.replay(endpoint, THE_TESTS, from_sequence=3)
    repeats.replay(endpoint, THE_TESTS, from_sequence=1)
    with pytest.raises(refusals.ReplayRunning):
        repeats.replay(endpoint, THE_TESTS, from_sequence=2)


def test_what_waits_or_is_deleted_is_not_sent_again(organization: Organization) -> None:
    endpoint = taken(organization, RECEIVED)
    delivery = Delivery.objects.create(
        endpoint=endpoint,
        organization=organization,
        cursor=Cursor.objects.get(),
        sequence=1,
        type="message.received",
        event_at=timezone.now(),
        state="retrying",
    )
    with pytest.raises(refusals.NotResendable):
        repeats.resend(delivery, THE_TESTS)
    Delivery.objects.update(state="dead")
    repeats.resend(delivery, THE_TESTS)
    Event.objects.all().delete()
    with pytest.raises(refusals.EventDeleted):
        repeats.resend(delivery, THE_TESTS)


def test_tests_that_wait_are_limited(organization: Organization) -> None:
    endpoint = make_endpoint(organization, URL)
    for _ in range(repeats.BY_HAND_AT_ONCE):
        repeats.test(endpoint, THE_TESTS)
    with pytest.raises(refusals.TooManyTests) as refused:
        repeats.test(endpoint, THE_TESTS)
    assert refused.value.retry_after == 10
