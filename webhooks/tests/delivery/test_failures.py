"""What a receiver that does not take an event brings about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from connections.tests.support.waiting import async_until
from events.models import Event
from organizations.models import AuditEntry, Organization
from outbound import client
from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.schedule import DELAYS, MAX_TRIES
from webhooks.tests.support.events import append, make_due, make_endpoint, reread
from webhooks.tests.support.receiver import CLOSE, HANG, OK, Receiver, Reply
from webhooks.tests.support.rows import leases, until_attempted, until_ended
from webhooks.tests.support.workers import working

pytestmark = pytest.mark.django_db(transaction=True)

State = Delivery.State
Answers = list[Reply]


def script(*replies: Reply) -> Any:
    """Answer with one after the other, and then with 200."""
    left = list(replies)
    return lambda received: left.pop(0) if left else OK


@pytest.mark.parametrize(
    ("reply", "failure", "status"),
    [
        (Reply(500, text="an error"), "status", 500),
        (Reply(404), "status", 404),
        (Reply(301, {"location": "http://127.0.0.1:1/"}), "redirect", 301),
        (Reply(429, {"retry-after": "3600"}), "status", 429),
        (CLOSE, "closed", None),
        (HANG, "timed_out", None),
    ],
    ids=["500", "404", "301", "429", "early close", "hang"],
)
async def test_failed_attempt_is_kept_and_tried_again_with_the_same_id(
    reply: Reply,
    failure: str,
    status: int | None,
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if reply is HANG:
        monkeypatch.setattr(client, "WHOLE_SECONDS", 0.3)
    async with Receiver(script(reply)) as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization, count=2)
            delivery = await until_attempted(organization, 1)
            assert (delivery.state, delivery.failure, delivery.status) == (
                State.RETRYING,
                failure,
                status,
            )
            assert delivery.next_at is not None
            wait = delivery.next_at - (await Attempt.objects.aget()).at
            asked = "retry-after" in reply.headers
            assert wait == timedelta(hours=1) if asked else wait >= DELAYS[1]
            monkeypatch.undo()
            await sync_to_async(make_due)(endpoint)
            assert await until_ended(organization, 2) == [(1, "delivered"), (2, "delivered")]
    assert receiver.sequences == [1, 1, 2]
    assert receiver.received[0].id == receiver.received[1].id != receiver.received[2].id
    attempts = [
        (found.number, found.status, found.answer)
        async for found in Attempt.objects.filter(delivery=delivery)
    ]
    assert attempts == [(1, status, reply.text or None), (2, 200, None)]


async def test_410_disables_and_enabling_begins_with_the_same_event(
    organization: Organization,
) -> None:
    from webhooks.actions import endpoints
    from webhooks.tests.support.events import THE_TESTS

    async with Receiver(script(Reply(410))) as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization, count=2)
            await until_attempted(organization, 1)
            found = await sync_to_async(reread)(endpoint)
            assert (found.state, found.reason) == ("disabled", "gone")
            await sync_to_async(endpoints.enable)(endpoint, THE_TESTS)
            await until_ended(organization, 2)
    assert receiver.sequences == [1, 1, 2]
    assert await leases() == 0


@pytest.mark.usefixtures("quick")
async def test_event_that_always_fails_is_given_up_and_the_rest_goes_on(
    organization: Organization,
) -> None:
    def answer(received: Any) -> Reply:
        return Reply(422) if received.body["sequence"] == 2 else OK

    async with Receiver(answer) as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization, count=3)
            assert await until_ended(organization, 3) == [
                *((1, "delivered"), (2, "dead"), (3, "delivered"))
            ]
    assert receiver.sequences == [1, *[2] * MAX_TRIES, 3]
    entry = await AuditEntry.objects.aget(action="webhook_event_given_up")
    endpoint = await Endpoint.objects.aget()
    assert entry.detail == f"{endpoint.host}: 2 (message.received)"
    assert endpoint.given_up_at is not None  # Those who are told of it are told.


async def test_endpoint_that_fails_for_five_days_is_disabled(organization: Organization) -> None:
    async with Receiver(lambda received: Reply(500)) as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        long_ago = timezone.now() - timedelta(days=5)
        await Endpoint.objects.aupdate(failing_since=long_ago)
        async with working():
            await sync_to_async(append)(organization)
            await until_attempted(organization, 1)
    found = await sync_to_async(reread)(endpoint)
    assert (found.state, found.reason) == ("disabled", "failing")
    assert await AuditEntry.objects.filter(action="webhook_disabled").acount() == 1


async def test_success_ends_the_time_of_failing(organization: Organization) -> None:
    async with Receiver() as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        await Endpoint.objects.aupdate(failing_since=timezone.now() - timedelta(days=4))
        async with working():
            await sync_to_async(append)(organization)
            await until_ended(organization, 1)
    assert (await sync_to_async(reread)(endpoint)).failing_since is None


async def test_delivery_of_a_deleted_event_is_dropped(organization: Organization) -> None:
    async with Receiver(script(Reply(500))) as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization, count=2)
            await until_attempted(organization, 1)
            await Event.objects.filter(sequence=1).adelete()
            await sync_to_async(make_due)(endpoint)
            assert await until_ended(organization, 2) == [(1, "dropped"), (2, "delivered")]
    assert receiver.sequences == [1, 2]


async def test_erased_text_is_not_sent_and_its_answers_go(organization: Organization) -> None:
    from events import log

    async with Receiver(script(Reply(500, text="I do not know m"))) as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization)
            await until_attempted(organization, 1)
            await sync_to_async(log.redact)(Event.objects.all(), ())
            await sync_to_async(make_due)(endpoint)
            await until_ended(organization, 1)
    assert [received.body["data"] for received in receiver.received] == [{"id": "m"}, {}]
    assert not await Attempt.objects.exclude(answer=None).aexists()


async def test_address_is_checked_again_at_each_attempt(
    organization: Organization, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REFUSED_SECONDS", 0.0)
    async with Receiver() as receiver:
        await sync_to_async(make_endpoint)(organization, receiver.url)
        settings.WEBHOOKS_ALLOW_PRIVATE = False
        async with working():
            await sync_to_async(append)(organization)
            assert (await until_attempted(organization, 1)).failure == "refused"
    assert receiver.received == []


async def test_paused_endpoint_gets_nothing_and_then_all(organization: Organization) -> None:
    from webhooks.actions import endpoints
    from webhooks.tests.support.events import THE_TESTS

    async with Receiver() as receiver:
        endpoint = await sync_to_async(make_endpoint)(organization, receiver.url)
        async with working():
            await sync_to_async(append)(organization)
            await until_ended(organization, 1)
            await sync_to_async(endpoints.pause)(endpoint, THE_TESTS)
            await sync_to_async(append)(organization, count=2)
            other = await sync_to_async(make_endpoint)(organization, receiver.url, after=2)
            await async_until(lambda: receiver.sequences == [1, 3], "what goes to the other one")
            await sync_to_async(endpoints.enable)(endpoint, THE_TESTS)
            await async_until(lambda: receiver.sequences == [1, 3, 2, 3], "what waited")
    assert await Cursor.objects.filter(endpoint=other).acount() == 1
