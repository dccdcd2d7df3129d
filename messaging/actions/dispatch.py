"""Chooses the next message of an organization: pacing, replies first, first in, first out."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Exists, OuterRef, Q, When
from django.utils import timezone

from connections.actions import Fence, Superseded
from connections.models import Connection
from connections.worker.message_port import Outgoing
from messaging.actions import outboxes, statuses
from messaging.actions.contacts import jid_of
from messaging.limits import is_day_full
from messaging.models import Media, Message, MessagingSettings, Outbox
from messaging.text_links import first_link

State = Message.State

VOICE_TYPE = "audio/ogg; codecs=opus"
MINUTE = timedelta(minutes=1)
# How long an answer about a number counts.
RESOLVED_FOR = timedelta(days=7)

REPLY, KNOWN, NEW = range(3)
PRIORITY = Case(
    When(contact__last_received_at__isnull=False, then=REPLY),
    When(contact__first_written_at__isnull=False, then=KNOWN),
    default=NEW,
)
"""Answers leave first, then messages to people who were written to before."""


def with_outgoing(connection_ids: Collection[int]) -> dict[int, datetime]:
    """Return those of these organizations in which a message waits, and when one may leave."""
    queued = Message.objects.filter(organization=OuterRef("pk"), state=State.QUEUED)
    found = Outbox.objects.filter(Exists(queued), pk__in=connection_ids)
    return dict(found.values_list("pk", "next_send_at"))


@transaction.atomic
def take(fence: Fence) -> Outgoing | None:
    """Mark the next message of an organization as being sent, and return it; None for nothing.

    Raises Superseded when another worker owns the connection.
    """
    owned = Connection.objects.select_for_update().filter(pk=fence.connection_id, claim=fence.claim)
    connection = owned.first()
    if connection is None:
        raise Superseded
    outbox = outboxes.lock_linked(connection)
    if outbox.store_name != connection.store_name:
        return None  # More waits than one call fails or holds.
    message = _next_message(connection.pk, outbox)
    if message is None:
        return None
    _mark_sending(message, outbox, connection, fence)
    return outgoing_of(message, fence)


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
    last = REPLY if outbox.answers_only_until else NEW
    message_id, priority = _first_ready(organization_id, last, now)
    if priority == NEW and is_day_full(own):
        message_id, _ = _first_ready(organization_id, KNOWN, now)
    if message_id is None:
        return None
    return Message.objects.select_related("contact", "media").get(pk=message_id)


def _first_ready(organization_id: int, last: int, now: datetime) -> tuple[int | None, int | None]:
    """Return the id and the priority of the message to send next, of a priority up to `last`.

    First in, first out for each contact: what its oldest message waits for, the others wait for.
    It is chosen here, as the time that a database takes for it may grow with the square.
    """
    due = Q(not_before=None) | Q(not_before__lte=now)
    media_ready = Q(media=None) | ~Q(media__state=Media.State.PENDING)
    ready = Q(state=State.QUEUED) & due & media_ready
    # Late ones expire with the next maintenance, and hold up nobody until then.
    in_time = Q(state=State.SENDING) | Q(expires_at__gt=now)
    states = (State.QUEUED, State.SENDING)
    waiting = Message.objects.filter(in_time, organization=organization_id, state__in=states)
    rows = waiting.annotate(ready=Case(When(ready, then=True), default=False), priority=PRIORITY)
    seen: set[int] = set()
    found: tuple[int | None, int | None] = (None, None)
    priority = last + 1
    for message in rows.order_by("pk").values_list("pk", "contact", "ready", "priority"):
        message_id, contact_id, is_ready, own = message
        if contact_id in seen:
            continue
        seen.add(contact_id)
        if is_ready and own < priority:
            found, priority = (message_id, own), own
        if priority == REPLY:
            break
    return found


def _minute_full_until(organization_id: int, limit: int) -> datetime | None:
    """Return when the next message may leave, if `limit` have left within a minute."""
    since = timezone.now() - MINUTE
    left = Message.objects.filter(
        organization=organization_id, direction=Message.Direction.OUT, sending_at__gt=since
    )
    times = left.order_by("-sending_at").values_list("sending_at", flat=True)
    oldest = list(times[limit - 1 : limit]) if limit else []
    return oldest[0] + MINUTE if oldest and oldest[0] else None


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
    chat = jid_of(contact)
    user, _, server = chat.partition("@")
    content: dict[str, Any] = {
        "to": {"user": user, "server": server},
        "secret": message.secret.hex(),
        "type": message.type,
        message.type: _body(message, chat),
        "context": _context(message, chat),
    }
    media = message.media.stored_as if message.media else ""
    link = ""
    if message.type == "text" and content["text"].pop("preview_url", False):
        link = first_link(content["text"]["body"])
    return Outgoing(message.pk, fence, content, resolve, media, link)


def _body(message: Message, chat: str) -> dict[str, Any]:
    body = dict(message.content[message.type])
    if target := body.get("target"):
        body["target"] = _target(target, chat)
    if message.media is not None:
        body["mime_type"] = message.media.mime_type
        if body.get("voice") and body["mime_type"] == "audio/ogg":
            body["mime_type"] = VOICE_TYPE  # iPhones play no other.
        body.setdefault("filename", message.media.filename or "")
    return body


def _context(message: Message, chat: str) -> dict[str, Any] | None:
    context = message.content.get("context")
    return {**_target(context, chat), "text": ""} if context else None


def _target(reference: dict[str, Any], chat: str) -> dict[str, Any]:
    sender = "" if reference["fromMe"] else chat
    return {"id": reference["whatsappId"], "from_me": reference["fromMe"], "sender": sender}
