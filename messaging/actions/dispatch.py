"""Chooses the next message of an organization: pacing, replies first, first in, first out."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.actions import Fence, Superseded
from connections.models import Connection
from connections.worker.message_port import Outgoing
from messaging.actions import statuses
from messaging.actions.expiry import expire
from messaging.models import Contact, Media, Message, MessagingSettings, Outbox

State = Message.State

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# A message that is older when a phone is linked anew waits for a person's decision.
OLD_AT_NEW_LINK = timedelta(minutes=10)
# How long an answer about a number counts.
RESOLVED_FOR = timedelta(days=7)
# Contacts to look at when the first ones have to wait.
LOOK_AT = 50

REPLIES = Q(contact__last_received_at__isnull=False)
KNOWN = Q(contact__last_received_at=None, contact__first_written_at__isnull=False)
NEW = Q(contact__last_received_at=None, contact__first_written_at=None)


def with_outgoing(connection_ids: Collection[int]) -> dict[int, datetime]:
    """Return those of these organizations in which a message waits, and when one may leave."""
    queued = Message.objects.filter(organization__in=connection_ids, state=State.QUEUED)
    rows = queued.order_by().values_list("organization", "organization__outbox__next_send_at")
    now = timezone.now()
    return {organization_id: at or now for organization_id, at in rows.distinct()}


@transaction.atomic
def take(fence: Fence) -> Outgoing | None:
    """Mark the next message of an organization as being sent, and return it; None for nothing.

    Raises Superseded when another worker owns the connection.
    """
    owned = Connection.objects.select_for_update().filter(pk=fence.connection_id, claim=fence.claim)
    connection = owned.first()
    if connection is None:
        raise Superseded
    outbox = _lock_outbox(connection)
    if outbox.store_name != connection.store_name:
        _follow_new_link(connection, outbox)
    expire(connection.pk)
    message = _next_message(connection.pk, outbox)
    if message is None:
        return None
    _mark_sending(message, outbox, connection, fence)
    return outgoing_of(message, fence)


def _lock_outbox(connection: Connection) -> Outbox:
    outboxes = Outbox.objects.select_for_update().filter(organization=connection.pk)
    outbox = outboxes.first()
    if outbox is None:
        created = Outbox(
            organization_id=connection.pk,
            store_name=connection.store_name,
            number=connection.number,
        )
        Outbox.objects.bulk_create([created], ignore_conflicts=True)
        outbox = outboxes.get()
    return outbox


def _follow_new_link(connection: Connection, outbox: Outbox) -> None:
    """Fail what waits when another number was linked; else hold what is old."""
    queued = Message.objects.select_for_update(of=("self",)).select_related("contact")
    queued = queued.filter(organization=connection.pk, state=State.QUEUED).order_by("pk")
    changed = []
    if outbox.number and outbox.number != connection.number:
        held = Message.objects.select_for_update(of=("self",)).select_related("contact")
        held = held.filter(organization=connection.pk, state=State.HELD)
        for message in [*queued, *held]:
            statuses.set_state(message, State.FAILED, "number_changed")
            changed.append(message)
    else:
        for message in queued.filter(created_at__lt=timezone.now() - OLD_AT_NEW_LINK):
            statuses.set_state(message, State.HELD, "new_link")
            changed.append(message)
    statuses.save(connection.pk, changed)
    outbox.store_name, outbox.number = connection.store_name, connection.number
    outbox.replies_only_until, outbox.checked_secrets = None, 0
    outbox.save()


def _next_message(organization_id: int, outbox: Outbox) -> Message | None:
    """Return the message that may leave now, if there is one."""
    now = timezone.now()
    own = MessagingSettings.of(organization_id)
    if own.sending_stopped_at is not None or outbox.next_send_at > now:
        return None
    if free_at := _minute_full_until(organization_id, own.per_minute):
        outbox.next_send_at = free_at
        outbox.save(update_fields=["next_send_at"])
        return None
    queued = Message.objects.filter(organization=organization_id, state=State.QUEUED)
    classes = [REPLIES]
    if outbox.replies_only_until is None or outbox.replies_only_until <= now:
        classes.append(KNOWN)
        if not _day_full(organization_id, own.new_per_day):
            classes.append(NEW)
    for wanted in classes:
        if message := _first_of(queued.filter(wanted), now):
            return message
    return None


def _first_of(queued: QuerySet[Message], now: datetime) -> Message | None:
    """Return the oldest message that may leave and that no older one to its contact waits for."""
    waiting: set[int] = set()
    for message in queued.select_related("contact", "media").order_by("pk")[:LOOK_AT]:
        if message.contact_id in waiting:
            continue
        media = message.media
        ready = message.not_before is None or message.not_before <= now
        if ready and (media is None or media.state != Media.State.PENDING):
            return message
        waiting.add(message.contact_id)
    return None


def _minute_full_until(organization_id: int, limit: int) -> datetime | None:
    """Return when the next message may leave, if `limit` have left within a minute."""
    since = timezone.now() - MINUTE
    left = Message.objects.filter(
        organization=organization_id, direction=Message.Direction.OUT, sending_at__gt=since
    )
    times = left.order_by("-sending_at").values_list("sending_at", flat=True)
    oldest = list(times[limit - 1 : limit]) if limit else []
    return oldest[0] + MINUTE if oldest and oldest[0] else None


def _day_full(organization_id: int, limit: int) -> bool:
    """Return whether `limit` new people were written to within 24 hours."""
    if not limit:
        return False
    since = timezone.now() - DAY
    new = Contact.objects.filter(organization=organization_id, first_written_at__gt=since)
    return new.filter(Q(last_received_at=None) | Q(last_received_at__gt=since)).count() >= limit


def _mark_sending(message: Message, outbox: Outbox, connection: Connection, fence: Fence) -> None:
    """Write down durably that a message is about to be handed to the library."""
    now = timezone.now()
    contact = message.contact
    gap = settings.MESSAGE_GAP_SECONDS
    if not contact.known:
        gap = settings.NEW_RECIPIENT_GAP_SECONDS
        contact.first_written_at = now
        contact.save(update_fields=["first_written_at"])
    statuses.set_state(message, State.SENDING, at=now)
    message.tries += 1
    message.claim, message.number = fence.claim, connection.number
    message.save(update_fields=[*statuses.FIELDS, "tries", "claim", "number"])
    outbox.next_send_at = now + timedelta(seconds=gap * random.uniform(0.5, 1.5))
    outbox.save(update_fields=["next_send_at"])


def outgoing_of(message: Message, fence: Fence) -> Outgoing:
    """Return what the worker hands to the library for a message."""
    contact = message.contact
    asked = contact.resolved_at is not None and contact.resolved_at > timezone.now() - RESOLVED_FOR
    resolve = "" if contact.lid or contact.last_received_at or asked else f"+{contact.number}"
    to = {"user": contact.lid, "server": "lid"}
    if not contact.lid:
        to = {"user": contact.number, "server": "s.whatsapp.net"}
    content: dict[str, Any] = {
        "to": to,
        "secret": message.secret.hex(),
        "type": message.type,
        message.type: _body(message, to),
        "context": _context(message, to),
    }
    media = message.media.stored_as if message.media else ""
    return Outgoing(message.pk, fence, content, resolve, media)


def _body(message: Message, to: dict[str, str]) -> dict[str, Any]:
    body = dict(message.content[message.type])
    if target := body.get("target"):
        body["target"] = _target(target, to)
    if message.media is not None:
        body["mime_type"] = message.media.mime_type
        body.setdefault("filename", message.media.filename or "")
    return body


def _context(message: Message, to: dict[str, str]) -> dict[str, Any] | None:
    context = message.content.get("context")
    return {**_target(context, to), "text": ""} if context else None


def _target(reference: dict[str, Any], to: dict[str, str]) -> dict[str, Any]:
    sender = "" if reference["fromMe"] else f"{to['user']}@{to['server']}"
    return {"id": reference["whatsappId"], "from_me": reference["fromMe"], "sender": sender}
