"""Events go to an endpoint in order, signed, and each attempt is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from connections.tests.support.waiting import async_until
from events import notifications
from events.models import Event, EventType
from organizations.models import Organization
from webhooks.actions import claims, loading
from webhooks.models import Attempt, Cursor, Delivery, Total
from webhooks.tests.support.events import RECEIVED, STATUS, append, make_endpoint, reread
from webhooks.tests.support.receiver import Receiver
from webhooks.tests.support.rows import until_ended
from webhooks.tests.support.workers import working
from webhooks.worker import polling

pytestmark = pytest.mark.django_db(transaction=True)

State = Delivery.State


async def test_event_is_sent_signed_and_its_attempt_is_kept(organization: Organization) -> None:
    async with Receiver() as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization, EventType.CONNECTION_CHANGED)
            assert await until_ended(organization, 1) == [(1, State.DELIVERED)]
    (received,) = receiver.received
    assert received.path == "/hooks?key=secret"
    assert Webhook(endpoint.secret).verify(received.content, received.headers)
    assert received.body["type"] == "connection.changed"
    attempt = await Attempt.objects.select_related("delivery__endpoint", "delivery__cursor").aget()
    assert (attempt.number, attempt.status, attempt.failure) == (1, 200, "")
    assert attempt.delivery.webhook_id == received.id
    assert (await sync_to_async(reread)(endpoint)).last_success_at is not None
    totals = Total.objects.order_by("kind").values_list("kind", "count")
    assert [total async for total in totals] == [("delivered", 1), ("taken", 1)]


async def test_event_takes_one_claim_and_one_look_at_its_log(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    ended: list[str] = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object) -> Any:
            calls.append(function.__name__)
            result = function(*arguments)
            ended.append(function.__name__)
            return result

        return call

    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        monkeypatch.setattr(polling, "POLL_SECONDS", 60.0)
        monkeypatch.setattr(claims, "claim", counted(claims.claim))
        monkeypatch.setattr(loading, "load", counted(loading.load))
        async with working():
            # A poll that has only begun would find the event itself.
            await async_until(lambda: ended == ["claim"], "the first poll")
            for count in (1, 2):
                await sync_to_async(append)(organization)
                await until_ended(organization, count)
    assert calls == ["claim", *(2 * ["claim", "load"])]


async def test_worker_that_sends_for_the_organization_is_told_of_what_another_appends(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[set[int]] = []

    async def tell_workers(organization_ids: Iterable[int]) -> None:
        told.append(set(organization_ids))

    monkeypatch.setattr(polling, "POLL_SECONDS", 60.0)
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working() as worker:
            await async_until(lambda: worker.deliveries._polls._poll_at > 0, "the first poll")
            later = timezone.now() + timedelta(seconds=60)
            await Cursor.objects.aupdate(lease_owner="another", lease_until=later)
            monkeypatch.setattr(notifications, "tell_workers", tell_workers)
            await sync_to_async(append)(organization)
            await async_until(lambda: {organization.pk} in told, "the other worker")
            # It does not answer what it was told itself.
            told.clear()
            await worker.deliveries.notify({"organization": organization.pk})
            await async_until(lambda: bool(told), "a look")
            assert {organization.pk} not in told
    assert receiver.sequences == []


async def test_events_before_the_endpoint_are_not_sent(organization: Organization) -> None:
    await sync_to_async(append)(organization, count=3)
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization)
            await async_until(lambda: receiver.sequences == [4], "the new event")


async def test_events_before_it_are_sent_when_asked_for(organization: Organization) -> None:
    await sync_to_async(append)(organization, count=30)
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url, after=1)
        async with working():
            await async_until(lambda: receiver.sequences == list(range(2, 31)), "all from 2 on")


async def test_only_the_wanted_types_are_sent(organization: Organization) -> None:
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url, types=[STATUS])
        async with working():
            await sync_to_async(append)(organization, RECEIVED, count=50)
            await sync_to_async(append)(organization, STATUS, RECEIVED, STATUS)
            await async_until(lambda: receiver.sequences == [51, 53], "the statuses")
            await until_ended(organization, 2)
    cursor = await Cursor.objects.aget()
    assert cursor.position == 53 and cursor.lease_owner == ""


async def test_endpoint_of_all_organizations_gets_those_of_new_ones(
    organization: Organization, other_organization: Organization
) -> None:
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(None, receiver.url)
        async with working():
            new = await Organization.objects.acreate(name="New")
            for each in (organization, other_organization, new):
                await sync_to_async(append)(each, count=2)
            await async_until(lambda: len(receiver.received) == 6, "all of them")
    assert receiver.taken == {each.pk: [1, 2] for each in (organization, other_organization, new)}


async def test_part_of_the_log_that_was_deleted_is_skipped(organization: Organization) -> None:
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        await sync_to_async(append)(organization, count=1500)
        await Event.objects.filter(sequence__lt=1499).adelete()
        async with working():
            await async_until(lambda: receiver.sequences == [1499, 1500], "the rest")
