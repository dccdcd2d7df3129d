"""What waits when a phone is linked anew."""

from __future__ import annotations

import pytest

from messaging.actions import lost, outboxes, unsent
from messaging.models import Message, Outbox
from messaging.refusals import NotCancellable
from messaging.tests.support.linked import ANA, BEA, Linked, age, reread
from messaging.tests.support.records import OWN_NUMBER

State = Message.State

pytestmark = pytest.mark.django_db


def relink(linked: Linked, number: str = "") -> None:
    linked.link("store-2", number or f"{OWN_NUMBER}{linked.pk}")


def test_same_number_sends_what_is_new_and_holds_what_is_old(linked: Linked) -> None:
    linked.send()
    old, new = linked.enqueue(ANA), linked.enqueue(BEA)
    age(old, minutes=11)
    relink(linked)
    assert linked.take() == new
    old = reread(old)
    assert (old.state, old.reason) == (State.HELD, "new_link")
    assert linked.states(old) == [("held", "new_link")]


def test_old_message_is_held_although_nothing_was_sent_by_the_link_before(linked: Linked) -> None:
    old = linked.enqueue()
    age(old, minutes=11)
    relink(linked)
    assert linked.take() is None
    assert reread(old).state == State.HELD


def test_other_number_fails_all_that_waits(linked: Linked) -> None:
    held, queued = linked.enqueue(ANA), linked.enqueue(BEA)
    age(held, minutes=0, state=State.HELD)
    relink(linked, "551133334444")
    assert linked.take() is None
    for message in (reread(held), reread(queued)):
        assert (message.state, message.reason) == (State.FAILED, "number_changed")
        assert linked.states(message) == [("failed", "number_changed")]


def test_other_number_fails_what_was_queued_before_any_message_was_sent(linked: Linked) -> None:
    queued = linked.enqueue()
    relink(linked, "551133334444")
    assert linked.take() is None
    assert reread(queued).reason == "number_changed"


@pytest.mark.parametrize("number", ["", "551133334444"], ids=["same", "other"])
def test_very_many_messages_fail_or_are_held_in_steps_and_none_is_sent(
    linked: Linked, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "AT_ONCE", 2)
    old = [linked.enqueue(body=str(turn)) for turn in range(5)]
    for message in old:
        age(message, minutes=11)
    relink(linked, number)
    queued = Message.objects.filter(state=State.QUEUED)
    assert linked.take() is None
    assert queued.count() == 3
    lost.record_secrets(linked.fence, [], 7, 7)
    assert (queued.count(), lost.position(linked.fence)) == (1, 0)
    assert linked.take() is None
    assert queued.count() == 0
    lost.record_secrets(linked.fence, [], 7, 7)
    assert lost.position(linked.fence) == 7
    new = linked.enqueue()
    assert linked.take() == new


def test_what_is_written_after_a_link_by_another_number_is_sent_by_that(linked: Linked) -> None:
    linked.send()
    relink(linked, "551133334444")
    new = linked.enqueue()
    assert linked.take() == new
    assert reread(new).number == "551133334444"


def test_what_is_written_after_a_link_is_not_held_however_long_it_waits(linked: Linked) -> None:
    linked.send()
    before = linked.enqueue(BEA)
    age(before, minutes=11)
    relink(linked)
    new = linked.enqueue(ANA)
    age(new, minutes=11)
    assert linked.take() == new
    assert reread(before).state == State.HELD


def test_new_message_does_not_end_with_the_very_many_of_the_link_before(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "AT_ONCE", 2)
    before = [linked.enqueue(body=str(turn)) for turn in range(5)]
    relink(linked, "551133334444")
    new = linked.enqueue()
    assert {reread(message).reason for message in before} == {"number_changed"}
    assert linked.take() == new


def test_other_spelling_of_the_number_is_the_same_number(linked: Linked) -> None:
    linked.link("store-1", "5511987654321")
    queued = linked.enqueue()
    relink(linked, "551187654321")
    assert linked.take() == queued


def test_new_link_ends_the_restriction_to_answers(linked: Linked) -> None:
    linked.send()
    Outbox.objects.update(replies_only_until="2100-01-01T00:00Z")
    relink(linked)
    linked.enqueue()
    assert linked.take() is not None


def test_released_messages_are_sent(linked: Linked) -> None:
    old = linked.enqueue()
    age(old, minutes=59)
    relink(linked)
    linked.take()
    assert unsent.release(linked.pk) == 1
    released = reread(old)
    assert released.expires_at is not None and old.expires_at is not None
    assert (released.state, released.reason) == (State.QUEUED, "")
    assert released.expires_at > old.expires_at
    assert linked.take() == old
    assert linked.states(old) == [("held", "new_link"), ("queued", None)]


def test_dropped_messages_are_cancelled(linked: Linked) -> None:
    old = linked.enqueue()
    age(old, minutes=59)
    relink(linked)
    linked.take()
    assert unsent.drop(linked.pk) == 1
    assert linked.states(old) == [("held", "new_link"), ("cancelled", "dropped")]
    assert linked.take() is None
    assert unsent.release(linked.pk) == 0


def test_drop_and_release_leave_other_organizations_alone(linked: Linked, other: Linked) -> None:
    held = other.enqueue()
    age(held, minutes=0, state=State.HELD)
    assert (unsent.drop(linked.pk), unsent.release(linked.pk)) == (0, 0)
    assert reread(held).state == State.HELD


@pytest.mark.parametrize("state", [State.QUEUED, State.HELD])
def test_waiting_message_can_be_cancelled(linked: Linked, state: State) -> None:
    message = linked.enqueue()
    age(message, minutes=0, state=state)
    cancelled = unsent.cancel(linked.pk, message.pk)
    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, "cancelled")
    assert linked.states(message) == [("cancelled", "cancelled")]
    assert linked.take() is None


@pytest.mark.parametrize(
    "state", [state for state in State if state not in (State.QUEUED, State.HELD)]
)
def test_message_in_another_state_cannot_be_cancelled(linked: Linked, state: State) -> None:
    message = linked.enqueue()
    age(message, minutes=0, state=state)
    with pytest.raises(NotCancellable):
        unsent.cancel(linked.pk, message.pk)
    assert reread(message).state == state
    assert linked.events() == []


def test_message_of_another_organization_cannot_be_cancelled(linked: Linked, other: Linked) -> None:
    with pytest.raises(Message.DoesNotExist):
        unsent.cancel(linked.pk, other.enqueue().pk)


def test_position_in_the_table_of_secrets_belongs_to_its_store(linked: Linked) -> None:
    lost.record_secrets(linked.fence, [], 500, 500)
    assert lost.position(linked.fence) == 500
    relink(linked)
    # The new table begins at its first row.
    assert lost.position(linked.fence) == 0
    lost.record_secrets(linked.fence, [], 3, 3)
    assert lost.position(linked.fence) == 3


def test_comparison_of_the_new_table_does_not_hide_the_new_link(linked: Linked) -> None:
    queued = linked.enqueue()
    relink(linked, "551133334444")
    lost.record_secrets(linked.fence, [], 3, 3)
    assert linked.take() is None
    assert reread(queued).reason == "number_changed"


def test_end_of_a_link_does_not_decide_about_what_waits(linked: Linked) -> None:
    queued = linked.enqueue()
    linked.link("", "")
    lost.record_secrets(linked.fence, [], 3, 3)
    assert reread(queued).state == State.QUEUED
    relink(linked)
    assert linked.take() == queued
