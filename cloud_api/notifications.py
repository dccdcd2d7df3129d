"""Meta's notifications of events: one message or one status each, and its contact always there."""

from __future__ import annotations

from typing import Any

from cloud_api import received, statuses
from cloud_api.people import Json, contact_json, own_number
from events.models import Event, EventType

MESSAGES, ECHOES = "messages", "smb_message_echoes"
"""What Meta calls messages from people, and those that were written on the phone itself."""

MESSAGE_EVENTS = {
    EventType.MESSAGE_RECEIVED: received.message,
    EventType.MESSAGE_SENT_ELSEWHERE: received.message,
    EventType.MESSAGE_EDITED: received.edit,
    EventType.MESSAGE_DELETED: received.revocation,
    EventType.MESSAGE_LOST: received.lost,
    EventType.REACTION_ADDED: received.reaction,
    EventType.REACTION_REMOVED: received.reaction,
}
"""How each event is told that is about a message; Meta's API has nothing for the other events."""


def notification(event: Event) -> Json | None:
    """Return the body of an event's notification.

    None for an event that Meta's API lacks, and for one whose person was erased since.
    """
    if event.type == EventType.MESSAGE_STATUS:
        return _status(event)
    build = MESSAGE_EVENTS.get(EventType(event.type))
    if build is None:
        return None
    echo = event.type == EventType.MESSAGE_SENT_ELSEWHERE or bool(event.data.get("fromMe"))
    person = event.data.get("to") or event.data.get("from")
    if person is None:
        return None
    if echo:
        message = received.direction_of(person, event.organization_id) | build(event)
        return _envelope(event, ECHOES, person, {"message_echoes": [message]})
    message = received.sender_of(person) | build(event)
    return _envelope(event, MESSAGES, person, {"messages": [message]})


def _status(event: Event) -> Json | None:
    person = statuses.person_written_to(event)
    if person is None:
        return None
    status = statuses.status(event, person)
    return status and _envelope(event, MESSAGES, person, {"statuses": [status]})


def sample(account: str) -> Json:
    """Return Meta's own sample notification, which names no number that exists."""
    metadata = {"display_phone_number": "16505551111", "phone_number_id": "123456123"}
    contact = {
        "profile": {"name": "test user name"},
        "wa_id": "16315551181",
        "user_id": "16315551181",
    }
    message = {
        "from": "16315551181",
        "id": "ABGGFlA5Fpa",
        "timestamp": "1504902988",
        "type": "text",
        "text": {"body": "this is a text message"},
    }
    return _whole(account, MESSAGES, metadata, contact, {"messages": [message]})


def _envelope(event: Event, field: str, person: Json, value: Json) -> Json:
    account = str(event.organization_id)
    metadata = {
        "display_phone_number": own_number(event.organization_id),
        "phone_number_id": account,
    }
    return _whole(account, field, metadata, contact_json(person), value)


def _whole(account: str, field: str, metadata: Json, contact: Json, value: Json) -> Json:
    about: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": metadata,
        "contacts": [contact],
        **value,
    }
    change = {"value": about, "field": field}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": account, "changes": [change]}],
    }
