"""What software and people ask for: to send a message, or to send one once more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from connections import broadcast
from connections.worker.message_port import MAINTENANCE
from messaging import quotas
from messaging.actions import contacts, outboxes, targets
from messaging.actions.contacts import Address
from messaging.actions.targets import EDITABLE_FOR
from messaging.models import (
    ABOUT_MESSAGES,
    MEDIA_MESSAGES,
    NEVER_LEFT_STATES,
    UNSENT_STATES,
    Contact,
    IdempotencyKey,
    Media,
    Message,
    MessagingSettings,
)
from messaging.refusals import (
    BadExpiry,
    Inactive,
    KeyReused,
    MediaNotReady,
    MessageRefused,
    NotResendable,
    QueueFull,
    SendingStopped,
    UnknownMedia,
    UnknownRecipient,
    WrongMediaType,
)
from organizations.access import Actor
from organizations.models import Organization

State = Message.State

DEFAULT_EXPIRY = timedelta(hours=1)
MAX_EXPIRY = timedelta(hours=24)
# Longer than the time within which workers look by themselves for what expires.
SOON = timedelta(minutes=2)
KEEP_KEYS = timedelta(hours=48)
RESENDABLE = (State.UNKNOWN, *NEVER_LEFT_STATES)

MEDIA_TYPES: Mapping[str, Collection[str]] = {
    "image": ("image/jpeg", "image/png"),
    "video": ("video/mp4", "video/3gpp"),
    "audio": ("audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr"),
    "sticker": ("image/webp",),
}
"""What a file's content may be for a type of message; a document may be anything."""


@dataclass(frozen=True)
class NewMessage:
    """A message to send. `to`: the recipient; `body`: the object of its type, as the API takes it.

    `context`: the public id of the message that it answers, or "". `media`: the public id of the
    file that it carries, or ""; `link`: where that file is to be fetched, or "" (links.py). `key`:
    the caller's Idempotency-Key, or "". `callback_data`: what the caller wants back in each event
    about the message, or "".
    """

    to: Address
    type: str
    body: Mapping[str, Any]
    context: str = ""
    expires_at: datetime | None = None
    on_unknown: str = Message.OnUnknown.KEEP.value
    media: str = ""
    link: str = ""
    key: str = ""
    callback_data: str = ""

    @property
    def body_hashes(self) -> list[str]:
        """Return the digests that may be stored of all that the caller asked for, today's first.

        They are keyed, as numbers and short texts can be guessed. Older rows, which are kept for
        KEEP_KEYS, have an older key, or none: those that an earlier version stored.
        """
        asked = [
            *(self.to.number, self.to.lid, self.type, dict(self.body), self.link or self.media),
            *(self.context, self.on_unknown, self.callback_data),
            self.expires_at.isoformat() if self.expires_at else "",
        ]
        text = json.dumps(asked, sort_keys=True, default=str)
        keyed = [
            salted_hmac("messaging.idempotency", text, secret=key, algorithm="sha256").hexdigest()
            for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
        ]
        return [*keyed, _hash(text)]


@transaction.atomic
def enqueue(organization_id: int, new: NewMessage, actor: Actor) -> Message:
    """Store a message to be sent, and return it; the same key and body return the same message.

    Raises messaging.refusals, and PermissionDenied when the actor's right has ended.
    """
    organization = _lock(organization_id, actor)
    if earlier := _admit(organization, new, actor):
        return earlier
    now = timezone.now()
    if new.expires_at is not None and not now < new.expires_at <= now + MAX_EXPIRY:
        raise BadExpiry
    contact = _recipient(organization_id, new.to)
    quotas.check_recipient(contact)
    content, target = targets.content_of(contact, new.type, new.body, new.context)
    expires_at = new.expires_at
    if target is not None and new.type == "edit":
        expires_at = min(expires_at or now + DEFAULT_EXPIRY, target.happened_at + EDITABLE_FOR)
    message = _create(
        Message(
            organization=organization,
            contact=contact,
            type=new.type,
            content=content,
            media=_media(organization_id, new),
            expires_at=expires_at,
            on_unknown=new.on_unknown,
            callback_data=new.callback_data or None,
        ),
        actor,
    )
    if new.key:
        IdempotencyKey.objects.create(
            organization_id=organization_id,
            key_hash=_hash(new.key),
            body_hash=new.body_hashes[0],
            message=message,
        )
    return message


@transaction.atomic
def admit(organization_id: int, new: NewMessage, actor: Actor) -> Message | None:
    """Return the message that a request with this key made before, None if this is the first one.

    Raises KeyReused, what refuses any message for now, and PermissionDenied.
    """
    return _admit(_lock(organization_id, actor), new, actor)


def _admit(organization: Organization, new: NewMessage, actor: Actor) -> Message | None:
    earlier = _earlier(organization.pk, new) if new.key else None
    if earlier is None:
        _require_room(organization, actor)
    return earlier


@transaction.atomic
def resend(organization_id: int, message_id: int, actor: Actor) -> Message:
    """Store a new message that sends an earlier one once more, and return it.

    Raises Message.DoesNotExist, and what `enqueue` raises.
    """
    organization = _lock(organization_id, actor)
    _require_room(organization, actor)
    found = Message.objects.select_related("contact", "media")
    earlier = found.get(organization=organization_id, pk=message_id)
    if refusal := resend_refusal(earlier):
        raise refusal
    again = Message(
        organization=organization,
        contact=earlier.contact,
        type=earlier.type,
        content=earlier.content,
        media=earlier.media,
        callback_data=earlier.callback_data,
        resends=earlier,
    )
    return _create(again, actor)


def resend_refusal(message: Message) -> MessageRefused | None:
    """Return why a message cannot be sent once more, None if it can."""
    own = message.direction == Message.Direction.OUT and message.type not in ABOUT_MESSAGES
    if not own or message.state not in RESENDABLE or message.erased_at is not None:
        return NotResendable()
    if message.resent.exists():
        return NotResendable()
    media = message.media
    if message.type in MEDIA_MESSAGES and (media is None or media.state != Media.State.READY):
        return MediaNotReady()
    return None


def _lock(organization_id: int, actor: Actor) -> Organization:
    """Lock the organization and its messages, so that two requests with one key are kept apart.

    Return the organization, with all that `WaitingReasons` needs.
    """
    organization = outboxes.lock_for_sender(organization_id, actor)
    outboxes.follow_for_sender(organization)
    outbox = outboxes.lock(organization_id)
    if outbox is not None:
        organization.outbox = outbox
    return organization


def _require_room(organization: Organization, actor: Actor) -> None:
    """Raise what refuses a message for now, whoever gets it.

    That is Inactive, SendingStopped, QueueFull or TooManyForToken.
    """
    if not organization.is_active:
        raise Inactive
    if MessagingSettings.of_loaded(organization).sending_stopped_at is not None:
        raise SendingStopped
    waiting = Message.objects.filter(organization=organization.pk, state__in=UNSENT_STATES)
    if waiting.count() >= settings.OUTBOX_LIMIT:
        raise QueueFull(retry_after=60)
    quotas.check_token(actor)


def _recipient(organization_id: int, to: Address) -> Contact:
    """Return the contact at an address. Raises UnknownRecipient for a LID that never wrote."""
    if to.number:
        return contacts.find_or_create(organization_id, to, typed=True)
    contact = contacts.find(organization_id, to)
    if contact is None:
        raise UnknownRecipient
    return contact


def _media(organization_id: int, new: NewMessage) -> Media | None:
    """Return a message's file. Raises UnknownMedia, MediaNotReady, WrongMediaType."""
    if not new.media:
        return None
    media = Media.objects.filter(organization=organization_id, public_id=new.media).first()
    if media is None:
        raise UnknownMedia
    if media.state != Media.State.READY:
        raise MediaNotReady
    if media.mime_type not in MEDIA_TYPES.get(new.type, [media.mime_type]):
        raise WrongMediaType
    return media


def _create(message: Message, actor: Actor) -> Message:
    """Save a new message that waits to be sent, and wake the worker."""
    now = timezone.now()
    message.direction, message.state = Message.Direction.OUT, State.QUEUED
    message.created_at = message.happened_at = now
    message.expires_at = message.expires_at or now + DEFAULT_EXPIRY
    for name, value in actor.columns.items():
        setattr(message, name, value)
    message.save(force_insert=True)
    broadcast.notify_outbox(message.organization_id)
    if message.expires_at < now + SOON:
        # No worker may have the connection, and a look would find out too late.
        broadcast.notify_work(MAINTENANCE)
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
    if found.body_hash not in new.body_hashes:
        raise KeyReused
    return found.message


def _hash(text: str) -> str:
    """Return an unkeyed digest. Rows are found by it, so a new SECRET_KEY sends nothing twice."""
    return hashlib.sha256(text.encode()).hexdigest()
