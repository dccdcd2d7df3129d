"""What is stored of deliveries, asked from coroutines."""

from __future__ import annotations

import asyncio

from connections.tests.support.waiting import SECONDS
from organizations.models import Organization
from webhooks.models import Cursor, Delivery

State = Delivery.State
OPEN = (State.WAITING, State.RETRYING)


async def states(organization: Organization) -> list[tuple[int, str]]:
    """Return the sequence and the state of all deliveries, in order."""
    rows = Delivery.objects.filter(organization=organization).order_by("sequence", "pk")
    return [row async for row in rows.values_list("sequence", "state")]


async def until_ended(organization: Organization, count: int) -> list[tuple[int, str]]:
    """Wait until so many deliveries have ended; return all of them."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + SECONDS
    while True:
        found = await states(organization)
        if sum(state not in OPEN for _, state in found) >= count:
            return found
        assert clock() < deadline, found
        await asyncio.sleep(0.01)


async def until_attempted(organization: Organization, tries: int) -> Delivery:
    """Wait until the delivery that is tried again has so many attempts, and return it."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + SECONDS
    while True:
        found = await Delivery.objects.filter(organization=organization, tries__gte=tries).afirst()
        if found is not None:
            return found
        assert clock() < deadline, "no attempt"
        await asyncio.sleep(0.01)


async def leases() -> int:
    """Return how many cursors are leased."""
    return await Cursor.objects.exclude(lease_owner="").acount()
