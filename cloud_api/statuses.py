"""States of sent messages, as Meta's notifications tell them."""

from __future__ import annotations

from django.utils import translation

from cloud_api.codes import Code
from cloud_api.identifiers import wamid
from cloud_api.people import Json, address_of, person_of
from cloud_api.received import error_json, timestamp
from connections.lifecycle import Reason
from connections.models import Connection
from events.models import Event
from messaging.models import Message
from messaging.reasons import sentence

State = Message.State

STEPS = (State.SENT, State.DELIVERED, State.READ, State.PLAYED)
ENDINGS = (State.FAILED, State.UNKNOWN, State.EXPIRED, State.CANCELLED)
"""The states that Meta tells as `failed`."""

FAILURES = {
    "restricted": Code.RESTRICTED,
    "unsupported": Code.UNSUPPORTED_TYPE,
    "upload_failed": Code.MEDIA_NOT_UPLOADED,
    "media_gone": Code.MEDIA_NOT_UPLOADED,
    "failed": Code.UNKNOWN,
}
"""The code of a reason for which a message was not sent; of all others Code.UNDELIVERABLE."""

BANS = (Reason.BANNED, Reason.TEMPORARILY_BANNED)


def person_written_to(event: Event) -> Json | None:
    """Return whom the message of an event went to; None for somebody who was erased since."""
    messages = Message.objects.filter(
        organization=event.organization_id, public_id=event.data["id"]
    )
    message = messages.select_related("contact").defer("content").first()
    if message is not None:
        contact = message.contact
        return person_of(contact) if contact.number or contact.lid else None
    if "waId" not in event.data:
        return None
    # The message was deleted since.
    wa_id = event.data["waId"]
    return {"phone": f"+{wa_id}" if wa_id else None, "lid": None, "name": None}


def status(event: Event, person: Json) -> Json | None:
    """Return a state of a sent message; None for one that Meta's API does not know."""
    data = event.data
    state = data["state"]
    if state not in (*STEPS, *ENDINGS):
        return None
    described: Json = {
        "id": wamid(data["id"]),
        "status": "failed" if state in ENDINGS else state,
        "timestamp": timestamp(data["at"]),
        "recipient_id": address_of(person),
    }
    if data.get("callbackData") is not None:
        described["biz_opaque_callback_data"] = data["callbackData"]
    if state in ENDINGS:
        described["errors"] = [_error(event)]
    return described


def _error(event: Event) -> Json:
    """Return why a message was not sent, or that nobody knows whether it was."""
    reason = event.data.get("reason") or ""
    with translation.override("en"):
        details = sentence(reason)
    if event.data["state"] == State.UNKNOWN:
        return error_json(Code.UNKNOWN, details)
    if event.data["state"] == State.EXPIRED and _is_banned(event.organization_id):
        return error_json(Code.BANNED, details)
    return error_json(FAILURES.get(reason, Code.UNDELIVERABLE), details)


def _is_banned(organization_id: int) -> bool:
    return Connection.objects.filter(pk=organization_id, reason__in=BANS).exists()
