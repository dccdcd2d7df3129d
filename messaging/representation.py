"""Messages as the API tells them: what became of them for senders, what they say for readers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from messaging.actions.descriptions import describe_person
from messaging.limits import Limits
from messaging.models import Contact, Media, Message
from messaging.queue_reasons import WaitingReasons
from messaging.reasons import sentence

Json = dict[str, Any]


def state_of(message: Message, waiting: WaitingReasons | None) -> Json:
    """Return a message without anything that it says, for those who may not read it.

    Of a person who wrote first, only the last digits of the number are told. `waiting`: None where
    the database cannot be asked why it waits.
    """
    contact = message.contact
    masked = message.direction != Message.Direction.OUT
    phone = f"…{contact.number[-4:]}" if masked else f"+{contact.number}"
    return {
        **_state(message, waiting),
        "contact": {
            "phone": phone if contact.number else None,
            "lid": None if masked else contact.lid or None,
            "waId": None if masked else contact.wa_id,
            "name": None,
        },
    }


def full(message: Message, waiting: WaitingReasons) -> Json:
    """Return a message with what it says."""
    return {
        **_state(message, waiting),
        "contact": contact_json(message.contact),
        "group": message.group or None,
        **message.content,
        "media": media_json(message.media) if message.media else None,
    }


def contact_json(contact: Contact) -> Json:
    """Return a person: both of their addresses, as far as they are known, and their name."""
    return {**describe_person(contact), "waId": contact.wa_id}


def media_json(media: Media) -> Json:
    """Return what is known of a file."""
    return {
        "id": media.public_id,
        "state": media.state,
        "reason": media.reason or None,
        "mimeType": media.mime_type or None,
        "size": media.size,
        "sha256": media.sha256 or None,
        "filename": media.filename,
        "createdAt": _iso(media.created_at),
    }


def limits_json(limits: Limits) -> Json:
    """Return what an organization may send; null for no limit."""
    return {
        "perMinute": limits.per_minute or None,
        "newRecipientsPerDay": limits.new_recipients_per_day or None,
        "newRecipientsToday": limits.new_recipients_today,
        "waiting": limits.waiting,
        "repliesOnlyUntil": _iso(limits.replies_only_until),
    }


def _state(message: Message, waiting: WaitingReasons | None) -> Json:
    out = message.direction == Message.Direction.OUT
    reason = waiting.reason_of(message) if waiting else message.reason
    return {
        "id": message.public_id,
        "direction": message.direction,
        "type": message.type,
        "state": message.state,
        "reason": reason or None,
        "sentence": sentence(reason) or None,
        "waId": message.contact.wa_id if out else None,
        "whatsappId": message.whatsapp_id or None,
        "callbackData": message.callback_data if out else None,
        "resends": message.resends.public_id if message.resends else None,
        "onUnknown": _on_unknown(message) if out else None,
        "createdAt": _iso(message.created_at),
        "at": _iso(message.happened_at),
        "expiresAt": _iso(message.expires_at),
        "sendingAt": _iso(message.sending_at),
        "sentAt": _iso(message.sent_at),
        "deliveredAt": _iso(message.delivered_at),
        "readAt": _iso(message.read_at),
        "playedAt": _iso(message.played_at),
        "endedAt": _iso(message.ended_at),
    }


def _on_unknown(message: Message) -> str:
    """Return what the sender asked for, also after it was done."""
    choices = Message.OnUnknown
    return choices.RESEND if message.on_unknown == choices.RESENT else message.on_unknown


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
