"""What an organization does not keep is deleted, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events.models import Event
from messaging.actions import receipts, retention
from messaging.models import Contact, Media, Message, MessagingSettings
from messaging.tests.support.linked import ANA, Linked, age, reread
from messaging.tests.support.records import message as record
from messaging.tests.support.records import receipt
from messaging.tests.support.rows import lose_key

pytestmark = pytest.mark.django_db

DAY = 24 * 60


def keep(linked: Linked, **settings: object) -> None:
    MessagingSettings.objects.create(organization=linked.organization, **settings)


def clean() -> None:
    """Clean all organizations, as a worker does."""
    for organization_id in retention.organizations():
        retention.clean(organization_id)


def make_old(linked: Linked, days: float) -> None:
    """Make everything of an organization so many days older."""
    earlier = timezone.now() - timedelta(days=days)
    for message in linked.messages():
        age(message, minutes=days * DAY)
    Event.objects.filter(organization=linked.pk).update(at=earlier)
    Contact.objects.filter(organization=linked.pk).update(
        last_received_at=earlier, last_sent_at=earlier, first_written_at=earlier
    )


def test_messages_events_and_contacts_go_after_their_days(linked: Linked, other: Linked) -> None:
    keep(linked, retention_days=7)
    for one in (linked, other):
        one.store(record(ANA))
        make_old(one, days=8)
    clean()
    assert (linked.messages(), linked.events()) == ([], [])
    assert not Contact.objects.filter(organization=linked.pk).exists()
    assert len(other.messages()) == len(other.events()) == 1, "it keeps them for 90 days"


def test_what_needs_a_key_that_is_gone_is_deleted(linked: Linked, other: Linked) -> None:
    for one in (linked, other):
        keep(one, retention_days=7, erase_delivered_texts=True)
        one.store(record(ANA, type="image", image={"size": 5}, media="aGk=", push_name="Ana"))
        first = one.send()
        receipts.apply({one.pk: [receipt(first.whatsapp_id)]})
        Message.objects.filter(organization=one.pk, direction="in").update(resends=first)
        make_old(one, days=8)
    Media.objects.update(created_at=timezone.now() - timedelta(days=8))
    lose_key(linked.pk)
    clean()
    for model in (Message, Contact, Media, Event):
        assert not model._default_manager.exists(), model


def test_everything_is_kept_for_ever_with_zero_days(linked: Linked) -> None:
    keep(linked, retention_days=0)
    linked.store(record(ANA))
    make_old(linked, days=4000)
    clean()
    assert len(linked.messages()) == len(linked.events()) == 1


def test_sequence_goes_on_after_old_events_are_deleted(linked: Linked) -> None:
    keep(linked, retention_days=7)
    linked.store(record(ANA))
    make_old(linked, days=8)
    clean()
    linked.store(record(ANA))
    assert [event.sequence for event in linked.events()] == [2]


def test_waiting_message_is_never_deleted(linked: Linked) -> None:
    keep(linked, retention_days=1)
    waiting = linked.enqueue()
    make_old(linked, days=2)
    clean()
    assert linked.messages() == [waiting]


def test_repeated_request_sends_nothing_twice_while_its_key_is_kept(linked: Linked) -> None:
    keep(linked, retention_days=1)
    linked.store(record(ANA, type="image", image={"size": 5}, media="aGk="))
    media = _ready(Media.objects.get())
    picture: dict[str, Any] = {"type": "image", "body": {}, "media": media, "key": "order-7"}
    Media.objects.update(mime_type="image/png", created_at=timezone.now() - timedelta(days=2))
    sent = linked.enqueue(**picture)
    linked.send_next()
    make_old(linked, days=1.5)
    clean()
    assert linked.messages() == [linked.enqueue(**picture)] == [sent]
    left = reread(sent)
    assert (left.content, left.media) == ({"image": {}, "context": None}, None)
    assert not Media.objects.exists()
    make_old(linked, days=2.1)
    clean()
    assert linked.messages() == []


def test_text_is_erased_once_it_has_arrived(linked: Linked) -> None:
    keep(linked, erase_delivered_texts=True)
    arrived, sent = linked.send(), linked.send()
    receipts.apply({linked.pk: [receipt(arrived.whatsapp_id)]})
    clean()
    assert reread(arrived).content == {"text": {}, "context": None}
    assert reread(arrived).erased_at is not None
    assert reread(sent).content["text"] == {"body": "Olá"}


def test_text_is_kept_without_the_setting(linked: Linked) -> None:
    arrived = linked.send()
    receipts.apply({linked.pk: [receipt(arrived.whatsapp_id)]})
    clean()
    assert Message.objects.get().content["text"] == {"body": "Olá"}


@pytest.mark.parametrize("carried", [True, False])
def test_file_goes_with_its_last_message(linked: Linked, carried: bool) -> None:
    keep(linked, retention_days=7)
    linked.store(record(ANA, type="image", image={"size": 5}, media="aGk="))
    media = Media.objects.get()
    if carried:
        linked.enqueue(type="document", body={}, media=_ready(media))
    make_old(linked, days=8)
    Media.objects.update(created_at=timezone.now() - timedelta(days=8))
    clean()
    assert Media.objects.exists() == carried


def _ready(media: Media) -> str:
    Media.objects.filter(pk=media.pk).update(state=Media.State.READY)
    return media.public_id
