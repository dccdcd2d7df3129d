"""Thousands of messages that wait, beside thousands that were sent, slow nothing down."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from messaging import limits
from messaging.actions import expiry, outcomes, unsent
from messaging.models import Message, MessagingSettings
from messaging.tests.support.linked import Linked
from messaging.tests.support.records import message

State = Message.State

pytestmark = pytest.mark.django_db

WAITING, SENT = 1500, 3000


@pytest.fixture
def many(linked: Linked) -> Linked:
    """Return an organization in which many messages wait, to people who wrote long ago."""
    linked.store(*(message(f"4915112{number:06}") for number in range(200)))
    contacts = list(linked.organization.contacts.all())
    now = timezone.now()
    rows = [
        Message(
            organization=linked.organization,
            contact=contacts[number % len(contacts)],
            **{"direction": "out", "type": "text", "content": {"text": {"body": "Olá"}}},
            state=State.QUEUED if number < WAITING else State.DELIVERED,
            expires_at=now + timedelta(hours=1, seconds=number),
            sending_at=None if number < WAITING else now - timedelta(minutes=2, seconds=number),
        )
        for number in range(WAITING + SENT)
    ]
    Message.objects.bulk_create(rows, batch_size=500)
    return linked


@pytest.mark.skipif(database.vendor != "postgresql", reason="PostgreSQL's planner is asked")
@pytest.mark.parametrize(
    ("part", "index"),
    [
        ('"sending_at" >', "messages_by_sending"),
        ('"first_written_at" >', "contacts_by_first_message"),
        ('ORDER BY "messaging_message"."id" ASC LIMIT 1000', "messages_to_expire"),
        ('ORDER BY "messaging_message"."id" ASC LIMIT 200', "messages_being_sent"),
    ],
    ids=["minute", "day", "expiry", "interrupted"],
)
def test_what_is_read_all_the_time_is_read_from_an_index(
    many: Linked, settings: Settings, part: str, index: str
) -> None:
    settings.MESSAGES_PER_MINUTE, settings.NEW_RECIPIENTS_PER_DAY = 60, 50
    with CaptureQueriesContext(database) as queries:
        assert many.take_next() is not None
        assert not limits.is_day_full(MessagingSettings.of(many.pk))
        outcomes.interrupted(many.worker.pk, [])
        expiry.expire_locked(many.pk)
    sql = next(query["sql"] for query in queries if part in query["sql"])
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan


def test_all_that_is_held_is_released_with_few_queries(many: Linked) -> None:
    Message.objects.filter(state=State.QUEUED).update(state=State.HELD, reason="new_link")
    with CaptureQueriesContext(database) as queries:
        assert unsent.release(many.pk) == WAITING
    assert len(queries) < 60
    assert not Message.objects.exclude(state__in=(State.QUEUED, State.DELIVERED)).filter(
        direction="out"
    )
    told = many.events("message.status")
    assert [event.data["state"] for event in told] == ["queued"] * WAITING
