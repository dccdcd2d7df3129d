"""The number of queries does not grow with the number of messages."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from connections.worker.message_port import Outgoing, SendOutcome
from messaging.actions import dispatch, incoming, outcomes
from messaging.models import Contact, Message
from messaging.tests.support.linked import ANA, Linked
from messaging.tests.support.records import LID, Record, change, message, receipt
from organizations.models import Organization

pytestmark = pytest.mark.django_db


def count_queries(linked: Linked, *records: Record) -> int:
    with CaptureQueriesContext(database) as queries:
        linked.store(*records)
    return len(queries)


def burst(size: int) -> list[Record]:
    """Return messages of as many people, half of them with files."""
    texts = [message(f"4915112{number:06}", f"{LID}{number}") for number in range(size)]
    about = {"image": {"size": 5, "sha256": "ab" * 32, "filename": "a.png"}, "media": "aGk="}
    pictures = [{**record, "type": "image", **about} for record in texts[::2]]
    return [*pictures, *texts[1::2]]


def test_burst_of_two_hundred_messages_takes_few_queries(linked: Linked) -> None:
    linked.store(message(ANA))
    # SQLite takes a batch of rows in several statements.
    most = 15 if database.vendor == "postgresql" else 25
    assert count_queries(linked, *burst(200)) <= most


def test_burst_that_is_read_again_takes_as_few(linked: Linked) -> None:
    records = burst(200)
    linked.store(*records)
    assert count_queries(linked, *records) < 10


def test_burst_of_reactions_and_groups_takes_as_many_queries_as_one(linked: Linked) -> None:
    linked.store(*burst(2))
    stored = linked.messages()

    def changes(size: int) -> list[Record]:
        made = [
            change("reaction", stored[0].whatsapp_id, of_us=False, number=ANA, emoji=str(number))
            for number in range(size)
        ]
        return [*made, *(message(ANA, type="protocol") for _ in range(size))]

    linked.store(*changes(1))
    assert count_queries(linked, *changes(100)) <= count_queries(linked, *changes(1)) < 15


def test_receipts_of_two_hundred_messages_take_few_queries(linked: Linked) -> None:
    sent = [linked.enqueue() for _ in range(200)]
    Message.objects.update(state="sent")
    for number, found in enumerate(sent):
        Message.objects.filter(pk=found.pk).update(whatsapp_id=f"3EB0{number}")
    ids = [f"3EB0{number}" for number in range(200)]
    assert count_queries(linked, *map(receipt, ids)) < 15
    assert not Message.objects.exclude(state="delivered").exists()


def test_taking_one_of_many_messages_takes_as_many_queries_as_one_of_few(
    linked: Linked, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(100):
        linked.enqueue(f"4915112{number:06}")
    with django_assert_max_num_queries(18):
        assert linked.take_next() is not None


def count_queries_of_a_round(count: int) -> int:
    """Return the queries of taking, of sending and of delivering a message of each of many."""
    fleet = [Linked(Organization.objects.create(name=f"{count} {n}")) for n in range(count)]
    for found in fleet:
        found.store(message(ANA))
        found.enqueue()
    with CaptureQueriesContext(database) as queries:
        taken = dispatch.take([found.fence for found in fleet])
        outcomes.record(
            [
                SendOutcome(outgoing.message_id, outgoing.fence, f"3EB0{number}", 1_800_000_000)
                for number, outgoing in enumerate(taken.values())
                if isinstance(outgoing, Outgoing)
            ]
        )
        incoming.store([(found.pk, [receipt(f"3EB0{n}")]) for n, found in enumerate(fleet)])
    assert {row.state for found in fleet for row in found.messages()} == {"delivered", "received"}
    fences = count  # each is read in the test
    return len(queries) - fences


def test_messages_of_many_organizations_take_few_queries_each() -> None:
    count_queries_of_a_round(1)
    few, many = count_queries_of_a_round(5), count_queries_of_a_round(25)
    # The message to take is looked for in each organization by a query of its own.
    assert many - few <= 20


def test_enqueue_takes_few_queries(
    linked: Linked, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    linked.enqueue(ANA, key="order-1")
    with django_assert_max_num_queries(12):
        linked.enqueue(ANA, key="order-2")
    assert Contact.objects.count() == 1
