"""What became of a message that was handed to the library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections.actions import Fence
from connections.worker.message_port import SendOutcome
from messaging.actions import outcomes
from messaging.models import Message, Outbox
from messaging.tests.support.linked import ANA, BEA, Linked, ready, reread
from messaging.tests.support.records import message, receipt

State = Message.State

pytestmark = pytest.mark.django_db

MAYBE = {"error": "timed_out", "maybe_sent": True}


def test_accepted_message_is_sent_with_whatsapps_id_and_time(
    linked: Linked, sending: Message
) -> None:
    sent = linked.record(sending, whatsapp_id="3EB0A", at=1_800_000_000)
    assert (sent.state, sent.whatsapp_id) == (State.SENT, "3EB0A")
    assert sent.happened_at == datetime.fromtimestamp(1_800_000_000, UTC)
    assert sent.sent_at is not None and linked.contact().last_sent_at is not None
    [event] = linked.events("message.status")
    assert event.data == {
        "id": sent.public_id,
        **{"state": "sent", "reason": None, "waId": ANA, "whatsappId": "3EB0A"},
        "at": sent.sent_at.isoformat(),
    }


@pytest.mark.parametrize("at", [0, -62135596800], ids=["none", "Go's zero time"])
def test_accepted_message_without_whatsapps_time_has_ours(
    linked: Linked, sending: Message, at: int
) -> None:
    before = timezone.now()
    sent = linked.record(sending, whatsapp_id="3EB0A", at=at)
    assert before <= sent.happened_at <= timezone.now()


@pytest.mark.parametrize(
    "error",
    ["refused", "not_on_whatsapp", "upload_failed", "media_gone", "unsupported", "failed"],
)
def test_refused_message_fails_with_the_reason_and_is_not_repeated(
    linked: Linked, sending: Message, error: str
) -> None:
    failed = linked.record(sending, error=error, code=479)
    assert (failed.state, failed.reason) == (State.FAILED, error)
    assert failed.ended_at is not None
    assert linked.states(sending) == [("failed", error)]
    assert linked.take() is None


@pytest.mark.parametrize("error", ["not_connected", "stopped", "lost", "timed_out", "anything"])
def test_message_that_never_left_is_queued_again(
    linked: Linked, sending: Message, error: str
) -> None:
    queued = linked.record(sending, error=error)
    assert (queued.state, queued.reason) == (State.QUEUED, "not_sent_yet")
    assert queued.not_before is not None and queued.sending_at is None
    assert linked.events() == []
    ready(queued)
    assert linked.take() == sending


@pytest.mark.parametrize(
    ("error", "reason"),
    [("timed_out", "timed_out"), ("lost", "lost"), ("stopped", "host_gone")],
)
def test_message_that_whatsapp_may_have_is_unknown_and_not_repeated(
    linked: Linked, sending: Message, error: str, reason: str
) -> None:
    unknown = linked.record(sending, error=error, maybe_sent=True, whatsapp_id="3EB0A")
    assert (unknown.state, unknown.reason) == (State.UNKNOWN, reason)
    assert unknown.whatsapp_id == "3EB0A"
    assert linked.states(sending) == [("unknown", reason)]
    assert linked.take() is None


def test_restriction_fails_the_message_and_lets_only_answers_out(
    linked: Linked, sending: Message, settings: Settings
) -> None:
    settings.REPLIES_ONLY_SECONDS = 600
    failed = linked.record(sending, error="refused", code=463)
    assert (failed.state, failed.reason) == (State.FAILED, "restricted")
    until = Outbox.objects.get(organization=linked.pk).replies_only_until
    assert until is not None
    assert timedelta(seconds=590) < until - timezone.now() < timedelta(seconds=601)
    cold = linked.enqueue(BEA)
    assert linked.take() is None
    linked.store(message(ANA))
    answer = linked.enqueue(ANA)
    assert linked.take() == answer
    assert reread(cold).state == State.QUEUED


def test_restriction_of_one_organization_is_not_another_ones(
    linked: Linked, other: Linked, sending: Message
) -> None:
    linked.record(sending, error="refused", code=463)
    queued = other.enqueue()
    assert other.take() == queued


def test_pauses_between_the_tries_grow_to_a_minute(linked: Linked, sending: Message) -> None:
    pauses = []
    for _ in range(8):
        queued = linked.record(sending, error="not_connected")
        assert queued.not_before is not None
        pauses.append((queued.not_before - timezone.now()).total_seconds())
        ready(queued)
        assert linked.take() == sending
    assert pauses == pytest.approx([2, 4, 8, 16, 32, 60, 60, 60], abs=1)


def test_late_answer_resolves_a_timeout(linked: Linked, sending: Message) -> None:
    linked.record(sending, **MAYBE, final=False, whatsapp_id="3EB0A")
    sent = linked.record(sending, whatsapp_id="3EB0A")
    assert (sent.state, sent.reason, sent.ended_at) == (State.SENT, "", None)
    assert linked.states(sending) == [("unknown", "timed_out"), ("sent", None)]


def test_second_timeout_of_one_try_is_told_once(linked: Linked, sending: Message) -> None:
    linked.record(sending, **MAYBE, final=False, whatsapp_id="3EB0A")
    linked.record(sending, **MAYBE, whatsapp_id="3EB0A")
    assert linked.states(sending) == [("unknown", "timed_out")]


def test_late_refusal_resolves_a_timeout(linked: Linked, sending: Message) -> None:
    linked.record(sending, **MAYBE, final=False)
    linked.record(sending, error="refused", code=479)
    assert linked.states(sending) == [("unknown", "timed_out"), ("failed", "refused")]


def test_timeout_of_a_message_that_never_left_is_told_as_queued(
    linked: Linked, sending: Message
) -> None:
    linked.record(sending, **MAYBE, final=False)
    queued = linked.record(sending, error="not_connected")
    assert (queued.state, queued.ended_at) == (State.QUEUED, None)
    assert linked.states(sending) == [("unknown", "timed_out"), ("queued", "not_sent_yet")]


def test_unknown_message_is_told_once_though_its_id_is_found_later(
    linked: Linked, sending: Message
) -> None:
    linked.record(sending, **MAYBE, final=False)
    linked.store(receipt("3EB0A"))
    linked.record(sending, error="lost", maybe_sent=True)
    assert linked.states(sending) == [("unknown", "timed_out")]
    linked.record(sending, error="lost", maybe_sent=True, whatsapp_id="3EB0A")
    assert linked.states(sending) == [("unknown", "timed_out"), ("delivered", None)]


def test_message_that_was_delivered_meanwhile_is_not_resent(linked: Linked) -> None:
    queued = linked.enqueue(on_unknown="resend")
    assert linked.take() == queued
    linked.record(queued, **MAYBE, final=False)
    linked.store(receipt("3EB0A"))
    linked.record(queued, **MAYBE, whatsapp_id="3EB0A")
    assert linked.states(queued) == [("unknown", "timed_out"), ("delivered", None)]
    assert linked.take() is None


def test_outcome_of_another_claim_is_ignored(linked: Linked, sending: Message) -> None:
    fence = Fence(linked.pk, claim=0, generation=0)
    outcomes.record([SendOutcome(sending.pk, fence, whatsapp_id="3EB0A")])
    assert reread(sending).state == State.SENDING
    assert linked.events() == []


def test_second_outcome_of_a_sent_message_is_ignored(linked: Linked, sending: Message) -> None:
    linked.record(sending, whatsapp_id="3EB0A")
    linked.record(sending, **MAYBE)
    linked.record(sending, error="failed")
    assert linked.states(sending) == [("sent", None)]


def test_outcome_of_a_deleted_organization_is_ignored(linked: Linked, sending: Message) -> None:
    fence = linked.fence
    linked.organization.delete()
    outcomes.record([SendOutcome(sending.pk, fence, whatsapp_id="3EB0A")])
    assert not Outbox.objects.exists()


def test_outcomes_of_many_messages_are_stored_each(linked: Linked, other: Linked) -> None:
    taken = [found.take_outgoing() for found in (linked, other) if found.enqueue()]
    foreign = SendOutcome(taken[0].message_id, Fence(linked.pk, 0, 0), "3EB00")
    outcomes.record([foreign, SendOutcome(taken[1].message_id, taken[1].fence, "3EB01")])
    assert [found.messages()[0].state for found in (linked, other)] == ["sending", "sent"]
    outcomes.record(
        [
            SendOutcome(taken[0].message_id, taken[0].fence, error="refused", code=400),
            SendOutcome(taken[1].message_id, taken[1].fence, "3EB02"),
        ]
    )
    (failed,), (sent,) = linked.messages(), other.messages()
    assert (failed.state, failed.reason) == (State.FAILED, "refused")
    assert (sent.state, sent.whatsapp_id) == (State.SENT, "3EB01"), "it was stored before"
    assert len(linked.events()) == len(other.events()) == 1
