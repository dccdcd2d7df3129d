"""Webhooks in Meta's format go on behind an event whose person was erased."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone
from pytest_django import Settings

from messaging.actions import erasure
from messaging.models import Contact
from messaging.tests.support.linked import ALICE, ANA, BEA, Linked
from messaging.tests.support.records import message
from organizations.models import Organization
from webhooks.actions import repeats
from webhooks.models import Cursor, Delivery, Endpoint
from webhooks.tests.support.events import THE_TESTS, make_endpoint
from webhooks.tests.support.receiver import Receiver
from webhooks.tests.support.rows import until_ended
from webhooks.tests.support.workers import working

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def private_addresses(settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = True


def texts(receiver: Receiver) -> list[str]:
    values = [received.body["entry"][0]["changes"][0]["value"] for received in receiver.received]
    return [str(value["messages"][0]["text"]["body"]) for value in values]


def prepared(organization: Organization, url: str) -> Endpoint:
    """Return an endpoint of a log whose first event is of an erased person."""
    endpoint = make_endpoint(organization, url, format="cloud", after=0)
    Endpoint.objects.update(state="enabled", reason="")
    linked = Linked(organization)
    linked.store(message(ANA, body="Oi"))
    erasure.erase_contact(organization, Contact.objects.get(number=ANA).pk, ALICE)
    linked.store(message(BEA, body="Olá"))
    return endpoint


async def test_event_of_an_erased_person_is_skipped_also_by_a_replay(
    organization: Organization,
) -> None:
    async with Receiver() as receiver:
        endpoint = await sync_to_async(prepared)(organization, receiver.url)
        async with working():
            assert await until_ended(organization, 1) == [(2, "delivered")]
            await sync_to_async(repeats.replay)(endpoint, THE_TESTS, from_sequence=1)
            assert await until_ended(organization, 2) == 2 * [(2, "delivered")]
    assert texts(receiver) == ["Olá", "Olá"]


async def test_delivery_of_an_event_that_was_erased_before_its_next_try_is_dropped(
    organization: Organization,
) -> None:
    async with Receiver() as receiver:
        endpoint = await sync_to_async(prepared)(organization, receiver.url)
        await Delivery.objects.acreate(
            endpoint=endpoint,
            organization=organization,
            cursor=await Cursor.objects.aget(),
            sequence=1,
            type="message.received",
            event_at=timezone.now(),
            state="retrying",
            tries=3,
        )
        async with working():
            found = await until_ended(organization, 2)
    assert found == [(1, "dropped"), (2, "delivered")]
    assert texts(receiver) == ["Olá"]
