"""A message that may have been sent is sent once more, where the sender prefers that."""

from __future__ import annotations

import pytest
from django.utils import timezone

from messaging.actions import maintenance, unsent
from messaging.models import Message
from messaging.tests.support.linked import Linked, age, ready, reread
from messaging.tests.support.records import receipt

State = Message.State

pytestmark = pytest.mark.django_db

MAYBE = {"error": "timed_out", "maybe_sent": True}


@pytest.fixture
def resending(linked: Linked) -> Message:
    """Return a message that may have been sent, and waits to be sent once more."""
    linked.enqueue(on_unknown="resend")
    taken = linked.take()
    assert taken is not None
    return linked.record(taken, **MAYBE, whatsapp_id="3EB0A")


def test_wish_to_resend_is_followed_once(linked: Linked, resending: Message) -> None:
    assert resending.state == State.QUEUED
    ready(resending)
    assert linked.take() == resending
    unknown = linked.record(resending, **MAYBE, whatsapp_id="3EB0B")
    assert (unknown.state, unknown.whatsapp_id) == (State.UNKNOWN, "3EB0B")
    assert linked.take() is None


def test_wish_to_resend_counts_after_tries_that_never_left(linked: Linked) -> None:
    queued = linked.enqueue(on_unknown="resend")
    for _ in range(3):
        linked.take()
        linked.record(queued, error="not_connected")
        ready(queued)
    linked.take()
    assert linked.record(queued, **MAYBE).state == State.QUEUED


def test_nothing_is_resent_while_the_library_still_tries(linked: Linked) -> None:
    queued = linked.enqueue(on_unknown="resend")
    linked.take()
    linked.record(queued, **MAYBE, final=False)
    assert reread(queued).state == State.UNKNOWN
    assert linked.record(queued, **MAYBE).state == State.QUEUED


def test_receipt_of_the_first_try_prevents_the_second(linked: Linked, resending: Message) -> None:
    linked.store(receipt("3EB0A"))
    assert reread(resending).state == State.DELIVERED
    assert linked.take() is None


@pytest.mark.parametrize("end", ["expire", "cancel", "refuse"])
def test_message_whose_first_try_may_have_gone_out_never_ends_as_not_sent(
    linked: Linked, resending: Message, end: str
) -> None:
    ready(resending)
    if end == "expire":
        age(resending, minutes=0, expires_at=timezone.now())
        assert linked.take() is None
        maintenance.maintain()
    elif end == "cancel":
        unsent.cancel(linked.pk, resending.pk)
    else:
        linked.take()
        linked.record(resending, error="refused", code=479)
    ended = reread(resending)
    assert (ended.state, ended.reason) == (State.UNKNOWN, "resent")
