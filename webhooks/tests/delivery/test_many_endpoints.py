"""Endpoints that hang do not slow the others.

WEBHOOK_ENDPOINTS=1000 (`make webhooks`) makes so many endpoints.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import F

from connections.tests.support.waiting import async_until
from events.models import Event, EventCounter, EventType
from events.notifications import wake_workers
from organizations.models import Organization
from outbound import client
from webhooks.models import Cursor, Endpoint
from webhooks.tests.support.receiver import HANG, Receiver
from webhooks.tests.support.workers import working

pytestmark = pytest.mark.django_db(transaction=True)

ENDPOINTS = int(os.environ.get("WEBHOOK_ENDPOINTS", "60"))
ROUNDS = 3


def make_many(urls: list[str]) -> list[Organization]:
    """Make an organization with one endpoint for each address."""
    organizations = Organization.objects.bulk_create(
        Organization(name=f"Number {number}") for number in range(len(urls))
    )
    EventCounter.objects.bulk_create(EventCounter(organization=each) for each in organizations)
    endpoints = Endpoint.objects.bulk_create(
        Endpoint(
            organization=each,
            url=f"{url}&host={each.pk}",
            # Each is a host of its own, as they would be.
            host=f"{each.pk}.example",
            secret="whsec_c2VjcmV0",
            made_by="the tests",
        )
        for each, url in zip(organizations, urls, strict=True)
    )
    Cursor.objects.bulk_create(
        Cursor(endpoint=endpoint, organization_id=endpoint.organization_id)
        for endpoint in endpoints
    )
    return organizations


@transaction.atomic
def append_to_all(organizations: list[Organization]) -> None:
    """Append an event to each log at once. Workers are let look everywhere."""
    counters = EventCounter.objects.filter(organization__in=organizations)
    counters.update(last=F("last") + 1)
    Event.objects.bulk_create(
        Event(
            organization_id=counter.organization_id,
            sequence=counter.last,
            type=EventType.MESSAGE_RECEIVED,
            data={"id": "m"},
        )
        for counter in counters.all()
    )
    wake_workers(None)


async def test_half_that_hangs_does_not_slow_the_other_half(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_SOCKETS = max(12, ENDPOINTS // 4)
    # None of them gives its socket back by itself.
    monkeypatch.setattr(client, "WHOLE_SECONDS", 600.0)
    async with Receiver() as sound, Receiver(lambda received: HANG) as hanging:
        urls = [(sound.url, hanging.url)[number % 2] for number in range(ENDPOINTS)]
        organizations = await sync_to_async(make_many)(urls)
        clock = asyncio.get_running_loop().time
        sound_half = organizations[::2]
        async with working():
            seconds = []
            # First without those that hang, for comparison.
            for number, part in enumerate([sound_half, *[organizations] * ROUNDS], start=1):
                started = clock()
                await sync_to_async(append_to_all)(part)
                await _until_taken(sound, number, ENDPOINTS // 2, 30.0 + ENDPOINTS / 10)
                seconds.append(round(clock() - started, 2))
        print(
            f"\n{ENDPOINTS} endpoints: {seconds[0]} s, and {seconds[1:]} s while half of them hang"
        )
        for taken in sound.taken.values():
            assert list(dict.fromkeys(taken)) == list(range(1, ROUNDS + 2))
        assert hanging.most_open <= settings.WEBHOOK_SOCKETS
        assert sound.most_open + hanging.most_open <= 2 * settings.WEBHOOK_SOCKETS


async def _until_taken(receiver: Receiver, sequence: int, count: int, seconds: float) -> None:
    def taken() -> bool:
        return sum(sequence in taken for taken in receiver.taken.values()) == count

    await async_until(taken, f"event {sequence} at {count} endpoints", seconds)
