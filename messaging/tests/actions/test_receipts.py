"""Receipts move messages on: forward only, by their ids, whenever they come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from events import log
from messaging.actions import incoming, maintenance
from messaging.models import EarlyReceipt, Message, MessagingSettings
from messaging.tests.support.linked import ANA, Linked, age, reread
from messaging.tests.support.records import OWN_NUMBER, group_message, message, receipt

State = Message.State

pytestmark = pytest.mark.django_db


def test_receipts_move_a_message_on_step_by_step(linked: Linked) -> None:
    sent = linked.send()
    for kind in ("delivered", "read", "played"):
        linked.store(receipt(sent.whatsapp_id, kind=kind))
        assert reread(sent).state == kind
    states = [state for state, _ in linked.states(sent)]
    assert states == ["sent", "delivered", "read", "played"]
    sent = reread(sent)
    assert None not in (sent.delivered_at, sent.read_at, sent.played_at)


def test_steps_are_skipped_and_never_go_back(linked: Linked) -> None:
    sent = linked.send()
    linked.store(receipt(sent.whatsapp_id, kind="read"))
    linked.store(receipt(sent.whatsapp_id, kind="delivered"))
    linked.store(receipt(sent.whatsapp_id, kind="read"))
    assert linked.states(sent) == [("sent", None), ("read", None)]
    assert reread(sent).delivered_at is None


def test_step_has_the_time_of_its_receipt(linked: Linked) -> None:
    sent = linked.send()
    Message.objects.update(sent_at=datetime.fromtimestamp(1_600_000_000, UTC))
    linked.store(receipt(sent.whatsapp_id, timestamp=1_700_000_000_000))
    assert reread(sent).delivered_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_steps_of_one_batch_are_told_once_with_the_last_state(linked: Linked) -> None:
    sent = linked.send()
    steps = (receipt(sent.whatsapp_id, kind=kind) for kind in ("delivered", "read"))
    linked.store(*steps)
    assert linked.states(sent) == [("sent", None), ("read", None)]
    assert reread(sent).delivered_at is not None


def test_receipt_counts_for_all_its_ids(linked: Linked) -> None:
    sent = [linked.send(), linked.send()]
    linked.store(receipt(*(found.whatsapp_id for found in sent)))
    assert [reread(found).state for found in sent] == [State.DELIVERED] * 2


@pytest.mark.parametrize("kind", ["sender", "retry", "read_self", "played_self", "peer_msg", "x"])
def test_receipt_of_another_kind_changes_nothing(linked: Linked, kind: str) -> None:
    sent = linked.send()
    linked.store(receipt(sent.whatsapp_id, kind=kind))
    assert linked.states(sent) == [("sent", None)]


def test_receipt_of_an_own_device_changes_nothing(linked: Linked) -> None:
    sent = linked.send()
    linked.store(receipt(sent.whatsapp_id, "3EB0FF", kind="read", from_me=True))
    assert reread(sent).state == State.SENT
    assert not EarlyReceipt.objects.exists()


def test_receipt_of_another_organization_changes_nothing(linked: Linked, other: Linked) -> None:
    sent = linked.send()
    other.store(receipt(sent.whatsapp_id))
    assert reread(sent).state == State.SENT


def test_receipt_about_a_received_message_changes_nothing(linked: Linked) -> None:
    received = message(ANA)
    linked.store(received)
    linked.store(receipt(received["id"], kind="read"))
    assert linked.messages()[0].state == State.RECEIVED
    assert linked.events("message.status") == []


def test_receipt_before_the_outcome_is_applied_with_it(linked: Linked) -> None:
    queued = linked.enqueue()
    linked.take()
    linked.store(receipt("3EB0A"), receipt("3EB0A", kind="read"))
    sent = linked.record(queued, whatsapp_id="3EB0A")
    assert sent.state == State.READ
    assert linked.states(queued) == [("sent", None), ("read", None)]
    assert not EarlyReceipt.objects.exists()


@pytest.mark.parametrize("chat", ["1203630@g.us", "1700000000@broadcast", "status@broadcast"])
def test_receipts_of_what_is_not_kept_leave_nothing(linked: Linked, chat: str) -> None:
    linked.store(receipt("3EB0A", chat=chat), receipt("3EB0A", kind="read", chat=chat))
    assert not EarlyReceipt.objects.exists()


def test_receipt_of_a_groups_member_counts_for_our_message_there(linked: Linked) -> None:
    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    written = group_message(OWN_NUMBER, from_me=True)
    linked.store(written, receipt(written["id"], chat=written["chat"]))
    assert linked.messages()[0].state == State.DELIVERED


def test_early_receipt_waits_a_day(linked: Linked) -> None:
    linked.store(receipt("3EB0A"))
    maintenance.forget()
    assert EarlyReceipt.objects.count() == 1
    EarlyReceipt.objects.update(stored_at=timezone.now() - timedelta(hours=25))
    maintenance.forget()
    assert not EarlyReceipt.objects.exists()


@pytest.mark.parametrize(
    ("kind", "state"), [("inactive", "sent"), ("delivered", "delivered"), ("read", "read")]
)
def test_receipt_resolves_an_unknown_message(linked: Linked, kind: str, state: str) -> None:
    queued = linked.enqueue()
    linked.take()
    linked.record(queued, error="lost", maybe_sent=True, whatsapp_id="3EB0A")
    linked.store(receipt("3EB0A", kind=kind))
    resolved = reread(queued)
    assert (resolved.state, resolved.reason, resolved.ended_at) == (state, "", None)
    assert resolved.sent_at is not None
    assert linked.states(queued) == [("unknown", "lost"), (state, None)]


@pytest.mark.parametrize("state", [State.FAILED, State.EXPIRED, State.CANCELLED])
def test_message_that_ended_unsent_stays_so(linked: Linked, state: str) -> None:
    queued = linked.enqueue()
    age(queued, minutes=0, state=state, whatsapp_id="3EB0A")
    linked.store(receipt("3EB0A"))
    assert reread(queued).state == state


def test_message_and_its_receipt_in_one_batch_are_both_stored(linked: Linked) -> None:
    written = message(ANA, from_me=True)
    linked.store(written, receipt(written["id"]))
    assert linked.messages()[0].state == State.DELIVERED


def test_batch_locks_the_logs_of_organizations_upwards(
    linked: Linked, other: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever else appends to both would wait for this batch, and this one for them."""
    low, high = sorted((linked, other), key=lambda each: each.pk)
    sent, locked = low.send(), list[int]()
    count_on = log._count_on

    def note(counts: Mapping[int, int]) -> dict[int, int]:
        locked.extend(sorted(counts))
        return count_on(counts)

    monkeypatch.setattr(log, "_count_on", note)
    incoming.store([(low.pk, [receipt(sent.whatsapp_id)]), (high.pk, [message(ANA)])])
    assert locked == [low.pk, high.pk]
    assert reread(sent).state == State.DELIVERED
    assert low.states(sent)[-1] == ("delivered", None)


def test_step_is_never_earlier_than_the_one_before(linked: Linked) -> None:
    """Receipts tell whole seconds."""
    sent = linked.send()
    assert sent.sent_at is not None
    second = int(sent.sent_at.timestamp()) * 1000
    linked.store(receipt(sent.whatsapp_id, timestamp=second))
    delivered = reread(sent)
    assert delivered.delivered_at == sent.sent_at
