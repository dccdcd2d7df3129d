"""Changes of one organization at the same time, each in a transaction of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.actions import expiry, incoming, lost, outcomes, unsent
from messaging.models import Contact, EarlyReceipt, Message
from messaging.refusals import NotCancellable
from messaging.tests.support.linked import ANA, BEA, Linked, age, reread
from messaging.tests.support.records import LID, message, receipt, unique_id
from organizations.models import Organization

State = Message.State

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 12


def at_the_same_time(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same time, each in a thread. Return their results or refusals."""
    together = Barrier(len(calls), timeout=20)

    def run(call: Callable[[], Any]) -> Any:
        try:
            # Connect first, so that the calls overlap.
            database.ensure_connection()
            together.wait()
            return call()
        except NotCancellable as refusal:
            return refusal
        finally:
            database.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [found.result(60) for found in [pool.submit(run, call) for call in calls]]


def test_one_key_makes_one_message(linked: Linked) -> None:
    for turn in range(ROUNDS):
        call = partial(linked.enqueue, key=f"order-{turn}")
        assert len(set(at_the_same_time(*[call] * 3))) == 1
        assert Message.objects.count() == turn + 1


def test_messages_to_a_new_number_make_one_contact(linked: Linked) -> None:
    for turn in range(ROUNDS):
        long, short = f"55119876543{turn:02}", f"551176543{turn:03}"
        calls = [partial(linked.enqueue, number) for number in (long, long, short)]
        at_the_same_time(*calls)
        assert Contact.objects.filter(number=long).count() == 1


def test_message_is_taken_once(linked: Linked) -> None:
    for _ in range(ROUNDS):
        queued = linked.enqueue()
        taken = at_the_same_time(*[linked.take_next] * 3)
        assert [found.message_id for found in taken if found] == [queued.pk]
        linked.record(queued)


def test_message_is_either_taken_or_cancelled(linked: Linked) -> None:
    for _ in range(ROUNDS):
        queued = linked.enqueue()
        taken, cancelled = at_the_same_time(
            linked.take_next, partial(unsent.cancel, linked.pk, queued.pk)
        )
        assert (taken is None) == isinstance(cancelled, Message)
        state = State.CANCELLED if taken is None else State.SENDING
        assert reread(queued).state == state
        if taken is not None:
            linked.record(queued)


def test_batches_of_two_organizations_do_not_wait_for_each_other(
    linked: Linked, other: Linked
) -> None:
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        incoming.store([(linked.pk, [message(ANA)])])
        if database.vendor == "sqlite":
            return  # A transaction locks the whole database.

        def store() -> None:
            try:
                incoming.store([(other.pk, [message(ANA)])])
            finally:
                database.close()

        # The first one's transaction is still open.
        pool.submit(store).result(30)
    assert len(linked.messages()) == len(other.messages()) == 1


def test_one_batch_that_is_stored_twice_at_once_is_stored_once(linked: Linked) -> None:
    for turn in range(ROUNDS):
        batch = [message(f"49151{turn:04}{number:04}") for number in range(5)]
        at_the_same_time(*[partial(linked.store, *batch)] * 2)
        assert len(linked.messages()) == len(linked.events()) == 5 * (turn + 1)


def test_contact_is_joined_once_while_messages_are_queued_for_it(linked: Linked) -> None:
    for turn in range(ROUNDS):
        number, lid = f"4915112{turn:05}", f"{LID}{turn}"
        linked.store(message(number), message(lid=lid))
        queued, *_ = at_the_same_time(
            partial(linked.enqueue, number),
            partial(linked.store, message(number, lid)),
            partial(linked.store, message(number, lid), message(lid=lid)),
        )
        contact = Contact.objects.get(number=number)
        assert contact.lid == lid and contact.messages.count() == 6
        assert reread(queued).contact == contact
        unsent.cancel(linked.pk, queued.pk)


def test_receipt_and_outcome_at_once_lose_neither(linked: Linked) -> None:
    for _ in range(ROUNDS):
        queued, whatsapp_id = linked.enqueue(), unique_id()
        linked.take()
        at_the_same_time(
            partial(linked.record, queued, whatsapp_id=whatsapp_id),
            partial(linked.store, message(BEA), receipt(whatsapp_id, kind="read")),
        )
        assert reread(queued).state == State.READ
        assert not EarlyReceipt.objects.exists()


def test_outcomes_receipts_batches_and_requests_at_once_never_deadlock(linked: Linked) -> None:
    for turn in range(ROUNDS):
        sent = [linked.send(ANA), linked.send(BEA)]
        queued = linked.enqueue(ANA)
        linked.take()
        late = linked.enqueue(BEA)
        age(late, minutes=0, expires_at=timezone.now())
        ids = [found.whatsapp_id for found in sent]
        at_the_same_time(
            partial(linked.store, message(ANA, LID), receipt(*ids), message(BEA)),
            partial(linked.store, message(BEA), receipt(*reversed(ids)), message(ANA)),
            partial(linked.record, queued),
            partial(linked.enqueue, ANA, key=f"order-{turn}"),
            linked.take_next,
            partial(lost.record_secrets, linked.fence, [], turn, turn),
            partial(unsent.release, linked.pk),
            expiry.expire_all,
        )
        assert [reread(found).state for found in sent] == [State.DELIVERED] * 2
        assert reread(late).state == State.EXPIRED
        while linked.send_next():
            pass
        for found in outcomes.interrupted(linked.worker.pk, []):
            outcomes.record_interrupted(found, unique_id())
    sequences = [event.sequence for event in linked.events()]
    assert sequences == list(range(1, len(sequences) + 1))


def test_requests_to_deactivate_and_to_send_leave_no_message_after_it(linked: Linked) -> None:
    """A message is queued before the deactivation, or refused."""
    for _ in range(ROUNDS):
        Organization.objects.update(deactivated_at=None)
        deactivate = partial(
            Organization.objects.filter(pk=linked.pk).update, deactivated_at=timezone.now()
        )

        def send() -> Message | None:
            from messaging.refusals import Inactive

            try:
                return linked.enqueue()
            except Inactive:
                return None

        _, queued = at_the_same_time(deactivate, send)
        assert (Message.objects.count() == 1) == (queued is not None)
        Message.objects.all().delete()


def test_reader_never_misses_an_event_that_commits_later(linked: Linked) -> None:
    writers, each = 4, 15
    seen: list[int] = []

    def write(name: int) -> None:
        for number in range(each):
            with transaction.atomic():
                body = {"writer": name, "number": number}
                log.append(linked.pk, [NewEvent(EventType.MESSAGE_STATUS, body)] * 2)

    def read() -> None:
        while len(seen) < writers * each * 2:
            after = seen[-1] if seen else 0
            seen.extend(event.sequence for event in log.read(linked.pk, after, 100))

    at_the_same_time(*(partial(write, name) for name in range(writers)), read)
    assert seen == list(range(1, writers * each * 2 + 1))
    told = Counter(event.data["writer"] for event in linked.events())
    assert set(told.values()) == {each * 2}
