"""Order and no loss, whatever receivers and workers do.

WEBHOOK_EVENTS=10000 (`make webhooks`) sends so many events.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from connections.tests.support.waiting import async_until
from organizations.models import Organization
from outbound import client
from webhooks.models import Delivery
from webhooks.tests.support.events import append, make_endpoint
from webhooks.tests.support.receiver import CLOSE, HANG, OK, Received, Receiver, Reply
from webhooks.tests.support.rows import leases
from webhooks.tests.support.workers import Worker, working
from webhooks.worker import WebhookDeliveries

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = int(os.environ.get("WEBHOOK_EVENTS", "150"))
SECONDS = 60.0 + EVENTS / 20
FAULTS = [Reply(500), Reply(301), Reply(503, {"retry-after": "0"}), CLOSE, Reply(delay=0.02)]


def first_arrivals(sequences: Iterable[int]) -> list[int]:
    """Return the sequences in the order in which each was taken first."""
    return list(dict.fromkeys(sequences))


def ids(receiver: Receiver) -> dict[tuple[int, int], set[str]]:
    """Return the ids of all tries by organization and sequence."""
    found: dict[tuple[int, int], set[str]] = defaultdict(set)
    for received in receiver.received:
        found[received.body["organization"], received.body["sequence"]].add(received.id)
    return found


@pytest.mark.usefixtures("quick")
async def test_each_event_arrives_in_order_with_one_id_from_random_failures(
    organization: Organization, other_organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "WHOLE_SECONDS", 1.0)
    chance = random.Random(16)
    hangs = iter([HANG])

    def answer(received: Received) -> Reply:
        if chance.random() < 0.001:
            return next(hangs, OK)
        return chance.choice(FAULTS) if chance.random() < 0.05 else OK

    everywhere, own = Receiver(answer), Receiver(answer)
    organizations = (organization, other_organization)
    async with everywhere, own:
        await sync_to_async(make_endpoint)(None, everywhere.url)
        await sync_to_async(make_endpoint)(organization, own.url)
        async with working():
            for each in organizations:
                for _ in range(EVENTS // 10):
                    await sync_to_async(append)(each, count=10)
            last = EVENTS // 10 * 10

            def arrived() -> bool:
                counts = [len(set(everywhere.taken[each.pk])) for each in organizations]
                return min(*counts, len(set(own.taken[organization.pk]))) >= last

            await async_until(arrived, "all events", SECONDS)
        for receiver in (everywhere, own):
            for taken in receiver.taken.values():
                assert first_arrivals(taken) == list(range(1, last + 1))
            assert all(len(found) == 1 for found in ids(receiver).values())
        assert len(set.union(*ids(everywhere).values(), *ids(own).values())) == 3 * last
    assert not await Delivery.objects.filter(state="dead").aexists()
    assert await leases() == 0


async def test_killed_worker_is_followed_by_another_with_the_same_event(
    organization: Organization,
) -> None:
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        await sync_to_async(append)(organization, count=5)
        receiver.answer = lambda received: HANG if received.body["sequence"] == 3 else OK
        killed = Worker(WebhookDeliveries(lease_seconds=2.0)).start()
        await async_until(lambda: receiver.sequences == [1, 2, 3], "the third event")
        await killed.kill()
        receiver.answer = lambda received: OK
        async with working(lease_seconds=2.0):
            await async_until(lambda: receiver.taken[organization.pk][-1] == 5, "the rest")
    assert receiver.sequences[-3:] == [3, 4, 5]
    assert all(len(found) == 1 for found in ids(receiver).values())


async def test_stop_waits_for_the_request_under_way_and_gives_the_lease_back(
    organization: Organization,
) -> None:
    async with Receiver(lambda received: Reply(delay=0.3)) as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        await sync_to_async(append)(organization, count=5)
        async with working():
            await async_until(lambda: receiver.open == 1, "a request")
        assert receiver.taken[organization.pk] == [1]
        assert await leases() == 0
        assert [row.sequence async for row in Delivery.objects.all()] == [1]


async def test_stop_does_not_wait_for_a_receiver_that_hangs(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webhooks.worker import deliveries

    monkeypatch.setattr(deliveries, "CLOSE_SECONDS", 0.1)
    async with Receiver(lambda received: HANG) as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        await sync_to_async(append)(organization)
        async with working():
            await async_until(lambda: receiver.open == 1, "a request")
        assert await leases() == 0
    assert not await Delivery.objects.aexists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one worker")
@pytest.mark.usefixtures("quick")
async def test_two_workers_share_cursors_and_keep_the_order(organization: Organization) -> None:
    rows = [Organization(name=f"Number {number}") for number in range(20)]
    organizations = await Organization.objects.abulk_create(rows)
    used: dict[str, set[int]] = defaultdict(set)
    async with Receiver(lambda received: Reply(delay=0.005)) as receiver:
        await sync_to_async(make_endpoint)(None, receiver.url)
        async with working() as first, working() as second:
            for worker in (first, second):
                _watch(worker, used)
            for _ in range(5):
                for each in organizations:
                    await sync_to_async(append)(each, count=4)
            taken = receiver.taken
            await async_until(
                lambda: all(len(set(taken[each.pk])) == 20 for each in organizations),
                "all events",
                SECONDS,
            )
            await asyncio.sleep(0)
    for each in organizations:
        assert taken[each.pk] == list(range(1, 21))
    assert len(used) == 2, "both workers have delivered"


def _watch(worker: Worker, used: dict[str, set[int]]) -> None:
    """Note which cursors a worker sends for."""
    add = worker.deliveries._add

    def watched(cursor: Any, claimed_at: float) -> Any:
        used[worker.deliveries._owner].add(cursor.pk)
        return add(cursor, claimed_at)

    worker.deliveries._add = watched  # type: ignore[method-assign]
