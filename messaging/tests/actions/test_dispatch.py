"""Which message leaves next, and which waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections.actions import Fence
from connections.worker.message_port import Outgoing
from messaging.actions import dispatch, expiry, maintenance
from messaging.models import Contact, Media, Message, MessagingSettings, Outbox
from messaging.tests.support.linked import ANA, BEA, CARL, Linked, age, reread
from messaging.tests.support.records import group_message, message
from organizations.models import Organization

State = Message.State

pytestmark = pytest.mark.django_db


def later(seconds: float = 60) -> dict[str, object]:
    return {"not_before": timezone.now() + timedelta(seconds=seconds)}


def test_messages_to_one_person_leave_in_their_order(linked: Linked) -> None:
    queued = [linked.enqueue(body=str(number)) for number in range(3)]
    assert [linked.send_next() for _ in queued] == queued
    assert linked.take() is None


def test_taken_message_is_being_sent_by_this_claim(linked: Linked) -> None:
    linked.enqueue()
    taken = linked.take()
    assert taken is not None
    assert (taken.state, taken.tries, taken.claim) == (State.SENDING, 1, 1)
    assert taken.number.endswith(str(linked.pk)) and taken.sending_at is not None


def test_answers_leave_before_first_messages(linked: Linked) -> None:
    cold, known = linked.enqueue(CARL), linked.enqueue(BEA)
    Contact.objects.filter(number=BEA).update(first_written_at=timezone.now())
    linked.store(message(ANA))
    answer = linked.enqueue(ANA)
    assert [linked.send_next() for _ in range(3)] == [answer, known, cold]


def test_repetition_holds_up_only_its_contact(linked: Linked) -> None:
    first, second = linked.enqueue(ANA), linked.enqueue(ANA)
    other = linked.enqueue(BEA)
    age(first, minutes=0, **later())
    assert linked.send_next() == other
    assert linked.take() is None
    age(first, minutes=0, not_before=timezone.now())
    assert [linked.send_next(), linked.send_next()] == [first, second]


def test_many_messages_to_a_waiting_contact_hold_up_nobody(linked: Linked) -> None:
    waiting = [linked.enqueue(ANA, str(number)) for number in range(60)]
    age(waiting[0], minutes=0, **later())
    other = linked.enqueue(BEA)
    assert linked.send_next() == other


def test_message_waits_for_an_older_one_that_is_being_sent(linked: Linked) -> None:
    first = linked.enqueue(ANA, "1")
    second = linked.enqueue(ANA, "2")
    assert linked.take() == first
    # The worker that was sending it has died; it turns out that it never left.
    assert linked.take() is None
    linked.record(first)
    assert linked.take() == second


def test_message_waits_for_its_file(linked: Linked) -> None:
    media = Media.objects.create(
        organization=linked.organization, state="ready", mime_type="image/png"
    )
    picture = linked.enqueue(type="image", body={}, media=media.public_id)
    Media.objects.update(state=Media.State.PENDING)
    after, other = linked.enqueue(ANA), linked.enqueue(BEA)
    assert linked.send_next() == other
    assert linked.take() is None
    Media.objects.update(state=Media.State.READY)
    assert [linked.send_next(), linked.send_next()] == [picture, after]


def test_minute_is_full_until_its_first_message_is_a_minute_old(
    linked: Linked, settings: Settings
) -> None:
    settings.MESSAGES_PER_MINUTE = 2
    sent = linked.send(), linked.send()
    waiting = linked.enqueue()
    assert linked.take() is None
    first = reread(sent[0])
    assert first.sending_at is not None
    free_at = first.sending_at + timedelta(minutes=1)
    assert dispatch.with_outgoing([linked.pk]) == {linked.pk: free_at}
    age(first, minutes=0, sending_at=timezone.now() - timedelta(seconds=61))
    Outbox.objects.update(next_send_at=timezone.now())
    assert linked.take() == waiting


def test_own_limit_of_an_organization_counts_before_the_installations(
    linked: Linked, settings: Settings
) -> None:
    settings.MESSAGES_PER_MINUTE = 1
    MessagingSettings.objects.create(organization=linked.organization, messages_per_minute=2)
    linked.send()
    linked.enqueue(), linked.enqueue()
    assert linked.send_next() is not None
    assert linked.take() is None


def test_new_recipients_wait_when_the_day_is_full_and_others_do_not(
    linked: Linked, settings: Settings
) -> None:
    settings.NEW_RECIPIENTS_PER_DAY = 1
    linked.send(ANA)
    new, known = linked.enqueue(BEA), linked.enqueue(ANA)
    linked.store(message(CARL))
    answer = linked.enqueue(CARL)
    assert [linked.send_next(), linked.send_next()] == [answer, known]
    assert linked.take() is None
    yesterday = timezone.now() - timedelta(hours=25)
    Contact.objects.filter(number=ANA).update(first_written_at=yesterday)
    assert linked.take() == new


def test_person_who_wrote_first_is_no_new_recipient(linked: Linked, settings: Settings) -> None:
    settings.NEW_RECIPIENTS_PER_DAY = 1
    linked.store(message(ANA))
    linked.send(ANA)
    new = linked.enqueue(BEA)
    assert linked.take() == new


def test_only_answers_leave_while_whatsapp_restricts_the_number(linked: Linked) -> None:
    linked.send(BEA)
    Outbox.objects.update(replies_only_until=timezone.now() + timedelta(minutes=5))
    cold, known = linked.enqueue(CARL), linked.enqueue(BEA)
    linked.store(message(ANA))
    answer = linked.enqueue(ANA)
    assert linked.send_next() == answer
    assert linked.take() is None
    Outbox.objects.update(replies_only_until=timezone.now())
    assert [linked.send_next(), linked.send_next()] == [known, cold]


def test_member_of_a_group_who_never_wrote_to_us_is_written_to_as_a_stranger(
    linked: Linked, settings: Settings
) -> None:
    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    settings.NEW_RECIPIENTS_PER_DAY = 1
    linked.store(group_message(ANA))
    Outbox.objects.update(replies_only_until=timezone.now() + timedelta(minutes=5))
    queued = linked.enqueue(ANA)
    assert linked.take() is None, "it is no answer"
    Outbox.objects.update(replies_only_until=None)
    linked.enqueue(BEA)
    assert [linked.send_next(), linked.take()] == [queued, None], "it counts as a new recipient"
    # The number is WhatsApp's own, and the name is known.
    assert (queued.contact.wa_id, queued.contact.name) == (ANA, "Ana")
    linked.store(message(ANA))
    Outbox.objects.update(replies_only_until=timezone.now() + timedelta(minutes=5))
    answer = linked.enqueue(ANA)
    assert linked.take() == answer


def test_next_message_waits_for_the_gap(linked: Linked, settings: Settings) -> None:
    settings.MESSAGE_GAP_SECONDS = 1000
    linked.store(message(ANA))
    linked.send(ANA)
    waiting = linked.enqueue(ANA)
    assert linked.take() is None
    at = dispatch.with_outgoing([linked.pk])[linked.pk]
    assert timedelta(seconds=400) < at - timezone.now() < timedelta(seconds=1501)
    Outbox.objects.update(next_send_at=timezone.now())
    assert linked.take() == waiting


def test_gap_after_a_new_recipient_is_its_own(linked: Linked, settings: Settings) -> None:
    settings.NEW_RECIPIENT_GAP_SECONDS = 1000
    linked.send(ANA)
    linked.enqueue(ANA)
    assert linked.take() is None
    Outbox.objects.update(next_send_at=timezone.now())
    assert linked.send_next() is not None
    linked.enqueue(ANA)
    assert linked.take() is not None


def test_stop_switch_stops_what_is_queued(linked: Linked) -> None:
    linked.enqueue()
    own = MessagingSettings.objects.create(
        organization=linked.organization, sending_stopped_at=timezone.now()
    )
    assert linked.take() is None
    own.delete()
    assert linked.take() is not None


def test_late_message_expires_and_is_never_taken(linked: Linked) -> None:
    late, other = linked.enqueue(ANA), linked.enqueue(ANA)
    age(late, minutes=0, expires_at=timezone.now())
    assert linked.take() == other
    waiting = linked.enqueue(ANA)
    assert maintenance.maintain() is not None  # Others may be late, too.
    assert maintenance.maintain() == waiting.expires_at
    late = reread(late)
    assert (late.state, late.reason) == (State.EXPIRED, "expired")
    assert late.ended_at is not None
    assert linked.states(late) == [("expired", "expired")]


def test_none_of_very_many_late_messages_is_taken(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "AT_ONCE", 2)
    late = [linked.enqueue(body=str(number)) for number in range(7)]
    Message.objects.update(expires_at=timezone.now())
    assert linked.take() is None
    maintenance.maintain()
    assert {linked.states(found)[0] for found in late} == {("expired", "expired")}
    assert len(linked.events()) == len(late)


def test_other_worker_cannot_take(linked: Linked) -> None:
    linked.enqueue()
    assert dispatch.take([Fence(linked.pk, claim=0, generation=0)]) == {linked.pk: None}
    assert linked.take() is not None


def ids_of(taken: Mapping[int, Outgoing | datetime | None]) -> dict[int, int | None]:
    """Return the message that was taken of each connection, None for none."""
    return {
        pk: found.message_id if isinstance(found, Outgoing) else None for pk, found in taken.items()
    }


def test_time_of_the_next_message_is_told_in_a_gap(linked: Linked, settings: Settings) -> None:
    settings.MESSAGE_GAP_SECONDS = 1000
    linked.store(message(ANA))
    linked.send(ANA)
    linked.enqueue(ANA)
    free_at = Outbox.objects.get().next_send_at
    assert dispatch.take([linked.fence]) == {linked.pk: free_at}


def test_taken_message_says_whether_others_wait(linked: Linked) -> None:
    linked.enqueue(), linked.enqueue()
    first = linked.take_outgoing()
    assert first.others_wait
    Message.objects.filter(pk=first.message_id).update(state=State.SENT)
    second = linked.take_outgoing()
    assert not second.others_wait


def test_one_call_takes_a_message_of_each_organization(linked: Linked, other: Linked) -> None:
    silent = Linked(Organization.objects.create(name="Sorveteria"), linked.worker)
    stranger = Fence(other.pk, claim=0, generation=0)
    queued = [linked.enqueue(), other.enqueue()]
    linked.enqueue()
    silent.send()
    taken = dispatch.take([linked.fence, stranger, silent.fence])
    assert ids_of(taken) == {
        linked.pk: queued[0].pk,
        other.pk: None,
        silent.pk: None,
    }
    taken = dispatch.take([linked.fence, other.fence])
    assert ids_of(taken) == {
        linked.pk: None,
        other.pk: queued[1].pk,
    }
    assert [found.state for found in linked.messages()] == [State.SENDING, State.QUEUED]


def test_minute_of_one_organization_holds_up_no_other(linked: Linked, other: Linked) -> None:
    MessagingSettings.objects.create(organization=linked.organization, messages_per_minute=1)
    linked.send()
    linked.enqueue(BEA)
    queued = other.enqueue()
    taken = dispatch.take([linked.fence, other.fence])
    assert ids_of(taken) == {
        linked.pk: None,
        other.pk: queued.pk,
    }


def test_new_link_of_one_organization_is_followed_alone(linked: Linked, other: Linked) -> None:
    old = linked.enqueue()
    age(old, minutes=11)
    other.enqueue()
    linked.link("store-2", linked.number)
    assert dispatch.take([linked.fence, other.fence]) == {linked.pk: None}
    assert reread(old).state == State.HELD
    assert dispatch.take([linked.fence, other.fence])[other.pk] is not None


def test_organization_is_named_while_a_message_is_queued(linked: Linked, other: Linked) -> None:
    other.send()
    assert dispatch.with_outgoing([linked.pk, other.pk]) == {}
    linked.enqueue()
    assert set(dispatch.with_outgoing([linked.pk, other.pk])) == {linked.pk}
    assert dispatch.with_outgoing([other.pk]) == {}
    linked.take()
    assert dispatch.with_outgoing([linked.pk]) == {}
