"""Sending one job's batch, with a client that answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

import pytest
from django.utils import timezone

from outbound.client import Answer, Client
from webhooks.actions.loading import Batch, Item
from webhooks.formats import FORMATS, OutgoingRequest
from webhooks.models import Cursor, Delivery, Endpoint
from webhooks.worker import sending
from webhooks.worker.jobs import Job
from webhooks.worker.sending import Sender
from webhooks.worker.sockets import Sockets


class FakeClient:
    """Takes everything. `bodies`: what it was given."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.bodies.append(body)
        return Answer(200, {}, "", 1)


def new_job(events: int = 1, seconds: float = 60.0) -> Job:
    """Return a job with so many events, whose lease lasts for so long."""
    endpoint = Endpoint(
        public_id="e" * 22,
        url="https://crm.example.com/",
        host="crm.example.com",
        secret=FORMATS["standard"].new_secret(),
    )
    cursor = Cursor(pk=1, endpoint=endpoint, organization_id=1, position=0)
    job = Job(cursor, asyncio.get_running_loop().time() + seconds)
    items = [
        Item(
            Delivery(cursor=cursor, endpoint=endpoint, sequence=number, event_at=timezone.now()),
            [OutgoingRequest(str(number).encode(), {})],
        )
        for number in range(1, events + 1)
    ]
    job.take(Batch(items, events, True))
    return job


def new_sender(client: FakeClient, sockets: Sockets | None = None) -> Sender:
    return Sender(cast(Client, client), sockets or Sockets(12, 5), lambda: None)


async def test_answer_that_cannot_be_read_is_an_attempt_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*answer: object) -> None:
        raise OverflowError

    monkeypatch.setattr(sending, "of_status", fail)
    job = new_job()
    await new_sender(FakeClient()).send(job)
    report = job.take_report()
    [attempt] = report.attempts
    assert (attempt.failure, attempt.number) == ("internal", 1)
    assert report.release and report.due_at > timezone.now()


@pytest.mark.parametrize("stopped", [False, True])
async def test_no_request_begins_after_a_long_wait_for_a_socket(stopped: bool) -> None:
    client, sockets = FakeClient(), Sockets(total=2, per_host=1)
    job = new_job(events=2)
    async with sockets.place("crm.example.com", False):
        sent = asyncio.create_task(new_sender(client, sockets).send(job))
        await asyncio.sleep(0)
        if stopped:
            job.stopped = True
        else:
            job.deadline = asyncio.get_running_loop().time()
    await sent
    report = job.take_report()
    assert (client.bodies, report.attempts, report.position) == ([], [], 0)
    assert report.release and not job.finished


async def test_all_events_of_a_batch_are_sent_in_time() -> None:
    client, job = FakeClient(), new_job(events=2)
    await new_sender(client).send(job)
    assert (client.bodies, job.finished, job.cursor.position) == ([b"1", b"2"], True, 2)
