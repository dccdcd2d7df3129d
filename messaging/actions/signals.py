"""Read marks and typing: what tells the other person something and is no message."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction
from django.utils import timezone

from connections import broadcast
from connections.worker.message_port import ReadMark
from messaging.actions import outboxes
from messaging.actions.contacts import jid_of
from messaging.models import Contact, Message
from messaging.refusals import NotReceived

Direction = Message.Direction

MARKS_AT_ONCE = 500


@transaction.atomic
def mark_read(message: Message, played: bool = False) -> None:
    """Mark a received message and the older ones of its chat as read, here and at WhatsApp.

    `played`: a voice message was listened to. Raises NotReceived for a message of our own.
    """
    outboxes.lock(message.organization_id)
    if message.direction != Direction.IN or not message.whatsapp_id:
        raise NotReceived
    now = timezone.now()
    if played:
        Message.objects.filter(pk=message.pk, played_at=None).update(
            played_at=now, read_mark_pending=True
        )
    unread = Message.objects.filter(
        contact=message.contact_id,
        group=message.group,
        direction=Direction.IN,
        pk__lte=message.pk,
        read_at=None,
    )
    unread.exclude(whatsapp_id="").update(read_at=now, read_mark_pending=True)
    broadcast.notify_outbox(message.organization_id)


def show_typing(contact: Contact, typing: bool) -> None:
    """Show a person that this organization types, or does not any more; nothing is stored.

    Without a linked and connected phone, nobody sees it.
    """
    broadcast.notify_typing(contact.organization_id, contact.pk, typing)


def pending_marks(connection_ids: Collection[int]) -> list[ReadMark]:
    """Return the read marks that WhatsApp was not told of yet, one for each message."""
    pending = Message.objects.filter(organization__in=connection_ids, read_mark_pending=True)
    return [
        ReadMark(
            message.pk,
            message.organization_id,
            message.whatsapp_id,
            message.group or jid_of(message.contact),
            jid_of(message.contact),
            message.played_at is not None,
        )
        for message in pending.select_related("contact").order_by("pk")[:MARKS_AT_ONCE]
    ]


def end_marks(marks: Sequence[ReadMark]) -> None:
    """Note that WhatsApp was told of these marks; one that was played meanwhile stays pending."""
    for played in (False, True):
        told = [mark.message_id for mark in marks if mark.played == played]
        pending = Message.objects.filter(pk__in=told, played_at__isnull=not played)
        pending.update(read_mark_pending=False)


def chat_of(connection_id: int, contact_id: int) -> str:
    """Return the JID of the chat with a contact of an organization, "" if there is none."""
    contact = Contact.objects.filter(pk=contact_id, organization=connection_id).first()
    return jid_of(contact) if contact else ""
