"""What software and people ask for: to send a message, to cancel one, to release what is held."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connections import broadcast
from messaging.actions import contacts, outboxes, statuses
from messaging.actions.contacts import Address
from messaging.models import Contact, IdempotencyKey, Media, Message, MessagingSettings
from messaging.refusals import (
    Inactive,
    KeyReused,
    NotCancellable,
    QueueFull,
    SendingStopped,
    UnknownTarget,
)
from organizations.access import Actor
from organizations.models import Organization

State = Message.State

DEFAULT_EXPIRY = timedelta(hours=1)
MAX_EXPIRY = timedelta(hours=24)
KEEP_KEYS = timedelta(hours=48)
WAITING = (State.QUEUED, State.HELD, State.SENDING)


@dataclass(frozen=True)
class NewMessage:
    """A message to send. `to`: digits; `body`: the object of its type, as the API takes it.

    `context`: the public id of the message that it answers, or "". `key`: the caller's
    Idempotency-Key, or "".
    """

    to: str
    type: str
    body: Mapping[str, Any]
    context: str = ""
    expires_at: datetime | None = None
    on_unknown: str = Message.OnUnknown.KEEP.value
    media: Media | None = None
    key: str = ""

    @property
    def body_hash(self) -> str:
        """Return the digest of all that the caller asked for."""
        asked = [
            *(self.to, self.type, dict(self.body), self.context, self.on_unknown),
            self.expires_at.isoformat() if self.expires_at else "",
            self.media.public_id if self.media else "",
        ]
        text = json.dumps(asked, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@transaction.atomic
def enqueue(organization_id: int, new: NewMessage, actor: Actor) -> Message:
    """Store a message to be sent, and return it; the same key and body return the same message.

    Raises Inactive, SendingStopped, QueueFull, KeyReused, UnknownTarget.
    """
    # The row lock keeps two requests with one key apart, and a deactivation out.
    organization = Organization.objects.select_for_update(no_key=True).get(pk=organization_id)
    outboxes.lock(organization_id)
    if new.key and (earlier := _earlier(organization_id, new)):
        return earlier
    if not organization.is_active:
        raise Inactive
    own = MessagingSettings.of(organization_id)
    if own.sending_stopped_at is not None:
        raise SendingStopped
    waiting = Message.objects.filter(organization=organization_id, state__in=WAITING)
    if waiting.count() >= settings.OUTBOX_LIMIT:
        raise QueueFull(retry_after=60)
    contact = contacts.find_or_create(organization_id, Address(number=new.to), typed=True)
    now = timezone.now()
    message = Message.objects.create(
        organization_id=organization_id,
        contact=contact,
        direction=Message.Direction.OUT,
        type=new.type,
        content=_content(organization_id, contact, new),
        media=new.media,
        state=State.QUEUED,
        created_at=now,
        happened_at=now,
        expires_at=min(new.expires_at or now + DEFAULT_EXPIRY, now + MAX_EXPIRY),
        on_unknown=new.on_unknown,
        **actor.columns,
    )
    if new.key:
        IdempotencyKey.objects.create(
            organization_id=organization_id,
            key_hash=_hash(new.key),
            body_hash=new.body_hash,
            message=message,
        )
    broadcast.notify_outbox(organization_id)
    return message


def _earlier(organization_id: int, new: NewMessage) -> Message | None:
    """Return the message that a request with this key made before. Raises KeyReused."""
    found = (
        IdempotencyKey.objects.filter(organization=organization_id, key_hash=_hash(new.key))
        .select_related("message__contact", "message__media")
        .first()
    )
    if found is None:
        return None
    if found.body_hash != new.body_hash:
        raise KeyReused
    return found.message


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _content(organization_id: int, contact: Contact, new: NewMessage) -> dict[str, Any]:
    """Return the content to store, in which other messages are named by WhatsApp's ids.

    Raises UnknownTarget when one of them is not in the conversation, or was never sent.
    """
    content: dict[str, Any] = {new.type: dict(new.body), "context": None}
    if new.context:
        content["context"] = _reference(contact, new.context)
    target = content[new.type].pop("messageId", None)
    if target is not None:
        content[new.type]["target"] = _reference(contact, target)
        own = content[new.type]["target"]["fromMe"]
        if new.type in ("edit", "delete") and not own:
            raise UnknownTarget
    return content


def _reference(contact: Contact, public_id: str) -> dict[str, Any]:
    message = contact.messages.filter(public_id=public_id).exclude(whatsapp_id="").first()
    if message is None:
        raise UnknownTarget
    return {
        "messageId": message.public_id,
        "whatsappId": message.whatsapp_id,
        "fromMe": message.direction != Message.Direction.IN,
    }


@transaction.atomic
def cancel(organization_id: int, message_id: int) -> Message:
    """Cancel a message that is queued or held, and return it. Raises NotCancellable."""
    outboxes.lock(organization_id)
    messages = Message.objects.filter(organization=organization_id).select_related("contact")
    message = messages.get(pk=message_id)
    if message.state not in (State.QUEUED, State.HELD):
        raise NotCancellable
    statuses.set_state(message, State.CANCELLED, "cancelled")
    statuses.save(organization_id, [message])
    return message


@transaction.atomic
def release(organization_id: int) -> int:
    """Queue what is held since a new link. Return how many messages that were.

    They get the default time to be sent in, as their own has passed or soon will.
    """
    held = _lock_held(organization_id)
    expires_at = timezone.now() + DEFAULT_EXPIRY
    count = statuses.change_all(organization_id, held, State.QUEUED, expires_at=expires_at)
    broadcast.notify_outbox(organization_id)
    return count


@transaction.atomic
def drop(organization_id: int) -> int:
    """Cancel what is held since a new link. Return how many messages that were."""
    held = _lock_held(organization_id)
    return statuses.change_all(organization_id, held, State.CANCELLED, "dropped")


def _lock_held(organization_id: int) -> QuerySet[Message]:
    outboxes.lock(organization_id)
    return Message.objects.filter(organization=organization_id, state=State.HELD)
