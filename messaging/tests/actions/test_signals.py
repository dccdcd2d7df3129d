"""Read marks: stored at once, told to WhatsApp once."""

import pytest

from messaging.actions import signals
from messaging.refusals import NotReceived
from messaging.tests.support.linked import ANA, BEA, Linked, reread
from messaging.tests.support.records import message as record

pytestmark = pytest.mark.django_db


def test_message_and_older_ones_of_its_chat_are_marked(linked: Linked) -> None:
    linked.store(record(ANA), record(ANA), record(BEA), record(ANA))
    first, second, other, last = linked.messages()
    signals.mark_read(second)
    assert [mark.message_id for mark in signals.pending_marks([linked.pk])] == [first.pk, second.pk]
    assert reread(first).read_at is not None
    assert reread(other).read_at is reread(last).read_at is None


def test_told_mark_is_not_told_again(linked: Linked) -> None:
    linked.store(record(ANA))
    (message,) = linked.messages()
    signals.mark_read(message)
    signals.end_marks(signals.pending_marks([linked.pk]))
    assert signals.pending_marks([linked.pk]) == []
    signals.mark_read(message)
    assert signals.pending_marks([linked.pk]) == [], "it was read before"


def test_voice_message_that_is_played_meanwhile_stays_to_be_told(linked: Linked) -> None:
    linked.store(record(ANA, type="audio", audio={"voice": True}, media="aGk="))
    (message,) = linked.messages()
    signals.mark_read(message)
    told = signals.pending_marks([linked.pk])
    signals.mark_read(message, played=True)
    signals.end_marks(told)
    assert [mark.played for mark in signals.pending_marks([linked.pk])] == [True]


def test_own_message_cannot_be_marked(linked: Linked) -> None:
    with pytest.raises(NotReceived):
        signals.mark_read(linked.send())


def test_other_organizations_marks_are_not_told(linked: Linked, other: Linked) -> None:
    linked.store(record(ANA))
    signals.mark_read(linked.messages()[0])
    assert signals.pending_marks([other.pk]) == []
