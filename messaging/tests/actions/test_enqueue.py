"""A request to send a message becomes one row, or is refused and changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections import broadcast
from connections.worker import polling
from messaging.actions import maintenance, unsent
from messaging.actions.outgoing import KEEP_KEYS, SOON
from messaging.models import Contact, IdempotencyKey, Media, Message, MessagingSettings
from messaging.refusals import (
    BadExpiry,
    Inactive,
    KeyReused,
    NotEditable,
    QueueFull,
    SendingStopped,
    UnknownTarget,
)
from messaging.tests.support.linked import ANA, BEA, Linked, age, reread
from messaging.tests.support.records import message
from organizations.models import Organization

State = Message.State

pytestmark = pytest.mark.django_db


def rows() -> tuple[int, int, int]:
    return Message.objects.count(), Contact.objects.count(), IdempotencyKey.objects.count()


def test_message_is_queued_for_an_hour_unless_the_caller_says_otherwise(linked: Linked) -> None:
    sent = linked.enqueue()
    assert (sent.state, sent.direction, sent.actor) == (State.QUEUED, "out", "alice")
    assert sent.expires_at == sent.created_at + timedelta(hours=1)
    soon = timezone.now() + timedelta(minutes=5)
    assert linked.enqueue(expires_at=soon).expires_at == soon


def test_expiry_that_has_passed_or_is_over_a_day_away_is_refused(linked: Linked) -> None:
    for wait in (timedelta(days=30), timedelta(seconds=-1)):
        with pytest.raises(BadExpiry):
            linked.enqueue(expires_at=timezone.now() + wait)


def test_workers_are_told_of_what_expires_soon_alone(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any of them ends it: the organization may have no worker, which is told of each message."""
    told: list[str] = []
    monkeypatch.setattr(broadcast, "notify_work", told.append)
    linked.enqueue()
    linked.enqueue(expires_at=timezone.now() + 2 * SOON)
    assert told == []
    linked.enqueue(expires_at=timezone.now() + timedelta(seconds=3))
    assert told == ["maintenance"]
    assert timedelta(seconds=polling.SAFETY_SECONDS) < SOON


def test_same_key_and_body_returns_the_first_message(linked: Linked) -> None:
    first = linked.enqueue(key="order-1")
    before = rows()
    assert linked.enqueue(key="order-1") == first
    assert rows() == before


@pytest.mark.parametrize(
    "other",
    [
        {"to": BEA},
        {"body": "Tchau"},
        {"on_unknown": "resend"},
        {"expires_at": timezone.now() + timedelta(minutes=3)},
    ],
    ids=lambda change: str(*change),
)
def test_same_key_with_another_request_is_refused(linked: Linked, other: dict[str, object]) -> None:
    linked.enqueue(key="order-1")
    before = rows()
    with pytest.raises(KeyReused):
        linked.enqueue(**{"key": "order-1", **other})  # type: ignore[arg-type]
    assert rows() == before


def test_same_key_with_another_file_is_refused(linked: Linked) -> None:
    one, two = (
        Media.objects.create(organization=linked.organization, state="ready", mime_type="image/png")
        for _ in range(2)
    )
    linked.enqueue(type="image", body="", key="picture", media=one.public_id)
    with pytest.raises(KeyReused):
        linked.enqueue(type="image", body="", key="picture", media=two.public_id)


def test_key_of_another_organization_is_another_key(linked: Linked, other: Linked) -> None:
    assert linked.enqueue(key="order-1") != other.enqueue(body="Tchau", key="order-1")


def test_key_makes_a_new_message_once_it_is_forgotten(linked: Linked) -> None:
    first = linked.enqueue(key="order-1")
    IdempotencyKey.objects.update(created_at=timezone.now() - KEEP_KEYS - timedelta(minutes=1))
    maintenance.forget()
    assert linked.enqueue(body="Tchau", key="order-1") != first


def test_key_outlives_the_longest_expiry(linked: Linked) -> None:
    linked.enqueue(key="order-1")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    maintenance.forget()
    assert IdempotencyKey.objects.count() == 1


def test_deactivated_organization_is_refused_and_nothing_is_stored(linked: Linked) -> None:
    Organization.objects.update(deactivated_at=timezone.now())
    with pytest.raises(Inactive):
        linked.enqueue(key="order-1")
    assert rows() == (0, 0, 0)


def test_repeated_request_gets_its_message_after_a_deactivation(linked: Linked) -> None:
    first = linked.enqueue(key="order-1")
    Organization.objects.update(deactivated_at=timezone.now())
    assert linked.enqueue(key="order-1") == first


def test_stop_switch_refuses_new_messages(linked: Linked) -> None:
    MessagingSettings.objects.create(
        organization=linked.organization, sending_stopped_at=timezone.now()
    )
    with pytest.raises(SendingStopped):
        linked.enqueue()
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize("state", [State.QUEUED, State.HELD, State.SENDING])
def test_full_queue_refuses_more_and_says_when_to_try_again(
    linked: Linked, other: Linked, settings: Settings, state: str
) -> None:
    settings.OUTBOX_LIMIT = 2
    for waiting in (linked.enqueue(), linked.enqueue()):
        age(waiting, minutes=0, state=state)
    with pytest.raises(QueueFull) as refused:
        linked.enqueue()
    assert refused.value.retry_after == 60
    assert other.enqueue().state == State.QUEUED


def test_sent_messages_do_not_fill_the_queue(linked: Linked, settings: Settings) -> None:
    settings.OUTBOX_LIMIT = 1
    linked.send()
    assert linked.enqueue().state == State.QUEUED


def test_answer_names_the_message_by_whatsapps_id(linked: Linked) -> None:
    asked = message(ANA)
    linked.store(asked)
    [received] = linked.messages()
    answer = linked.enqueue(context=received.public_id)
    assert answer.content["context"] == {
        **{"messageId": received.public_id, "whatsappId": asked["id"], "fromMe": False}
    }


def test_answer_to_another_conversation_is_refused(linked: Linked) -> None:
    linked.store(message(BEA))
    [received] = linked.messages()
    with pytest.raises(UnknownTarget):
        linked.enqueue(ANA, context=received.public_id)
    assert not Contact.objects.filter(number=ANA).exists()


def test_answer_to_another_organizations_message_is_refused(linked: Linked, other: Linked) -> None:
    other.store(message(ANA))
    with pytest.raises(UnknownTarget):
        linked.enqueue(ANA, context=other.messages()[0].public_id)


def test_answer_to_a_message_that_is_not_sent_yet_is_refused(linked: Linked) -> None:
    waiting = linked.enqueue()
    with pytest.raises(UnknownTarget):
        linked.enqueue(context=waiting.public_id)


@pytest.mark.parametrize("kind", ["edit", "delete"])
def test_edit_and_deletion_of_the_persons_message_are_refused(linked: Linked, kind: str) -> None:
    linked.store(message(ANA))
    target = {"messageId": linked.messages()[0].public_id}
    with pytest.raises(UnknownTarget):
        linked.enqueue(type=kind, body={**target, "body": "x"})


@pytest.mark.parametrize("kind", ["edit", "delete", "reaction"])
def test_change_of_an_own_message_names_its_target(linked: Linked, kind: str) -> None:
    sent = linked.send()
    change = linked.enqueue(type=kind, body={"messageId": sent.public_id})
    assert change.content[kind]["target"] == {
        **{"messageId": sent.public_id, "whatsappId": sent.whatsapp_id, "fromMe": True}
    }


def edit_of(linked: Linked, target: Message, **options: Any) -> Message:
    body = {"messageId": target.public_id, "body": "x"}
    return linked.enqueue(type="edit", body=body, **options)


@pytest.mark.parametrize("hours", [None, 20])
def test_edit_expires_when_the_apps_would_ignore_it(linked: Linked, hours: int | None) -> None:
    sent = linked.send()
    now = timezone.now()
    age(sent, minutes=10, happened_at=now - timedelta(minutes=10))
    edit = edit_of(linked, sent, expires_at=hours and now + timedelta(hours=hours))
    assert edit.expires_at == now + timedelta(minutes=5)
    soon = now + timedelta(minutes=1)
    assert edit_of(linked, sent, expires_at=soon).expires_at == soon


def test_edit_that_was_held_gets_no_more_time(linked: Linked) -> None:
    edit = edit_of(linked, linked.send())
    age(edit, minutes=0, state=State.HELD, reason="new_link")
    assert unsent.release(linked.pk) == 1
    assert (reread(edit).state, reread(edit).expires_at) == (State.QUEUED, edit.expires_at)


@pytest.mark.parametrize("kind", ["edit", "delete", "reaction"])
def test_change_of_a_change_is_refused(linked: Linked, kind: str) -> None:
    edit_of(linked, linked.send())
    edit = linked.send_next()
    assert edit is not None and edit.whatsapp_id
    with pytest.raises(UnknownTarget):
        linked.enqueue(type=kind, body={"messageId": edit.public_id, "body": "x"})
    with pytest.raises(UnknownTarget):
        linked.enqueue(context=edit.public_id)


@pytest.mark.parametrize("kind", ["audio", "sticker", "location", "contacts"])
def test_edit_of_a_message_without_a_text_is_refused(linked: Linked, kind: str) -> None:
    sent = linked.send()
    age(sent, minutes=0, type=kind)
    with pytest.raises(NotEditable):
        edit_of(linked, sent)


def test_reaction_to_the_persons_message_names_its_target(linked: Linked) -> None:
    linked.store(message(ANA))
    received = linked.messages()[0]
    body = {"messageId": received.public_id, "emoji": "👍"}
    reaction = linked.enqueue(type="reaction", body=body)
    assert reaction.content["reaction"]["target"]["fromMe"] is False


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("5511987654321", "551187654321"),
        ("551187654321", "5511987654321"),
        ("5215512345678", "525512345678"),
        ("5491123456789", "541123456789"),
    ],
)
def test_other_spelling_of_a_number_is_the_same_contact(
    linked: Linked, written: str, known: str
) -> None:
    linked.store(message(known))
    sent = linked.enqueue(written)
    assert sent.contact == linked.contact()
    # The account's own spelling stays.
    assert linked.contact().number == known


def test_landline_with_eight_digits_is_not_a_mobile_with_nine(linked: Linked) -> None:
    assert linked.enqueue("551132654321").contact != linked.enqueue("5511932654321").contact
