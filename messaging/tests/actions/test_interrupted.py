"""Messages whose worker or host process ended while it was sending them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.models import Connection, Worker
from messaging.actions import outcomes
from messaging.models import Message
from messaging.tests.support.linked import Linked, age, ready, reread
from messaging.tests.support.records import OWN_NUMBER, receipt, unique_id

State = Message.State

pytestmark = pytest.mark.django_db


def interrupted(linked: Linked) -> list[int]:
    return [found.message_id for found in outcomes.interrupted(linked.worker.pk, [])]


def recover(linked: Linked, whatsapp_id: str | None) -> None:
    [found] = outcomes.interrupted(linked.worker.pk, [])
    outcomes.record_interrupted(found, whatsapp_id)


def test_interrupted_message_with_an_id_is_unknown(linked: Linked, sending: Message) -> None:
    recover(linked, "3EB0A")
    unknown = reread(sending)
    assert (unknown.state, unknown.reason) == (State.UNKNOWN, "host_gone")
    assert unknown.whatsapp_id == "3EB0A"


def test_interrupted_message_is_unknown_when_the_table_cannot_be_read(
    linked: Linked, sending: Message
) -> None:
    recover(linked, None)
    assert reread(sending).state == State.UNKNOWN
    assert linked.take() is None


def test_interrupted_message_without_an_id_is_sent_later(linked: Linked, sending: Message) -> None:
    recover(linked, "")
    queued = reread(sending)
    assert (queued.state, queued.reason) == (State.QUEUED, "interrupted")
    ready(queued)
    assert linked.take() == sending


def test_interrupted_message_is_resent_where_the_sender_prefers_that(linked: Linked) -> None:
    queued = linked.enqueue(on_unknown="resend")
    linked.take()
    recover(linked, "3EB0A")
    assert reread(queued).state == State.QUEUED
    linked.store(receipt("3EB0A", kind="read"))
    assert reread(queued).state == State.READ


@pytest.mark.parametrize("kind", ["delivered", "inactive"])
def test_interrupted_message_with_a_receipt_is_not_resent(linked: Linked, kind: str) -> None:
    queued = linked.enqueue(on_unknown="resend")
    linked.take()
    linked.store(receipt("3EB0A", kind=kind))
    recover(linked, "3EB0A")
    assert reread(queued).state == (State.DELIVERED if kind == "delivered" else State.SENT)
    assert linked.take() is None
    linked.store(receipt("3EB0A", kind="read"))
    assert reread(queued).state == State.READ


def test_message_in_flight_is_not_interrupted(linked: Linked, sending: Message) -> None:
    assert interrupted(linked) == [sending.pk]
    assert outcomes.interrupted(linked.worker.pk, [sending.pk]) == []


def test_message_of_another_living_worker_is_not_interrupted(
    linked: Linked, sending: Message
) -> None:
    another = Worker.objects.create(name="another")
    Connection.objects.update(worker=another)
    assert interrupted(linked) == []


@pytest.mark.parametrize("gone", ["unowned", "dead", "stopped"])
def test_message_whose_worker_is_gone_is_interrupted(
    linked: Linked, sending: Message, gone: str
) -> None:
    another = Worker.objects.create(name="another")
    Connection.objects.update(worker=None if gone == "unowned" else another)
    long_ago = timezone.now() - timedelta(minutes=5)
    if gone == "dead":
        Worker.objects.filter(pk=another.pk).update(heartbeat_at=long_ago)
    if gone == "stopped":
        Worker.objects.filter(pk=another.pk).update(stopped_at=long_ago)
    assert interrupted(linked) == [sending.pk]


def test_finding_about_an_earlier_try_is_ignored(linked: Linked, sending: Message) -> None:
    [found] = outcomes.interrupted(linked.worker.pk, [])
    ready(linked.record(sending, error="not_connected"))
    assert linked.take() == sending
    outcomes.record_interrupted(found, "")
    assert reread(sending).state == State.SENDING


def test_receipt_that_came_first_is_applied_when_the_id_is_known(
    linked: Linked, sending: Message
) -> None:
    whatsapp_id = unique_id()
    linked.store(receipt(whatsapp_id))
    recover(linked, whatsapp_id)
    assert linked.states(sending) == [("unknown", "host_gone"), ("delivered", None)]


def become_unknown(linked: Linked, message: Message, **outcome: str) -> None:
    linked.record(message, error="timed_out", maybe_sent=True, final=False, **outcome)


def test_unknown_message_gets_the_id_that_the_library_gave_it_later(
    linked: Linked, sending: Message
) -> None:
    become_unknown(linked, sending)
    linked.store(receipt("3EB0A"))
    [found] = outcomes.interrupted(linked.worker.pk, [])
    assert (found.secret, found.unknown) == (sending.secret, True)
    outcomes.record_interrupted(found, "3EB0A")
    assert interrupted(linked) == []
    assert reread(sending).whatsapp_id == "3EB0A"
    assert linked.states(sending) == [("unknown", "timed_out"), ("delivered", None)]


@pytest.mark.parametrize("whatsapp_id", ["", None])
def test_unknown_message_without_an_id_stays_unknown_and_is_not_repeated(
    linked: Linked, whatsapp_id: str | None
) -> None:
    """Its table may be that of a link before, and a person may have sent it once more."""
    unknown = linked.enqueue(on_unknown="resend")
    assert linked.take() == unknown
    become_unknown(linked, unknown)
    recover(linked, whatsapp_id)
    assert linked.states(unknown) == [("unknown", "timed_out")]
    assert linked.take() is None
    assert outcomes.interrupted(linked.worker.pk, [], [unknown.pk]) == []


def test_unknown_message_with_an_id_or_of_long_ago_is_not_looked_up(
    linked: Linked, sending: Message
) -> None:
    become_unknown(linked, sending)
    assert interrupted(linked) == [sending.pk]
    age(sending, minutes=0, sending_at=timezone.now() - timedelta(hours=25))
    assert interrupted(linked) == []
    age(sending, minutes=0, sending_at=timezone.now())
    become_unknown(linked, sending, whatsapp_id="3EB0A")
    assert interrupted(linked) == []


def test_interrupted_message_is_looked_up_in_the_store_that_sent_it(
    linked: Linked, sending: Message
) -> None:
    linked.link("store-2", OWN_NUMBER + str(linked.pk))
    [found] = outcomes.interrupted(linked.worker.pk, [])
    assert found.store == "store-1"


@pytest.mark.parametrize("number", ["same", "other"])
def test_message_whose_link_has_ended_while_it_was_sent_is_unknown(
    linked: Linked, sending: Message, number: str
) -> None:
    linked.link("store-2", OWN_NUMBER + str(linked.pk) if number == "same" else "551133334444")
    assert linked.take() is None
    assert linked.states(sending) == [("unknown", "host_gone")]
    # Its call ends after that, and knows more.
    assert linked.record(sending, whatsapp_id="3EB0A").state == State.SENT


def test_message_that_did_not_leave_is_not_sent_by_another_number(
    linked: Linked, sending: Message
) -> None:
    linked.link("store-2", "551133334444")
    assert linked.take() is None
    failed = linked.record(sending, error="not_connected")
    assert (failed.state, failed.reason) == (State.FAILED, "number_changed")
    assert linked.take() is None
