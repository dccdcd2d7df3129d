"""Messages from events, as Meta's notifications tell them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cloud_api.changes import change_id
from cloud_api.codes import TITLES, Code
from cloud_api.identifiers import wa_id_of, wamid
from cloud_api.people import Json, address_of, own_number
from events.models import Event
from messaging import signed_urls
from messaging.models import Message

# `TEL;type=CELL;waid=5511987654321:+55 11 98765-4321`
PHONE = re.compile(r"^(?:item\d+\.)?TEL((?:;[^:\r\n]*)?):([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
WA_ID = re.compile(r"waid=(\d+)", re.IGNORECASE)

LOST = "A message arrived that could not be kept here. It is on the phone."
UNSUPPORTED = "Messages of this type are not supported here. It is on the phone."


def timestamp(at: str | datetime) -> str:
    """Return a time in seconds, as a text."""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return str(int(moment.timestamp()))


def error_json(code: Code, details: str) -> Json:
    """Return an error within a message or a status."""
    title = TITLES[code]
    error_data = {"details": details}
    return {"code": code.value, "title": title, "message": title, "error_data": error_data}


def message(event: Event) -> Json:
    """Return a message that was received, or that was written on the phone itself."""
    data = event.data
    kind = data["type"]
    content = CONTENT[kind](data) if kind in CONTENT else _unsupported(data)
    described = {
        "id": wamid(data["id"]),
        "timestamp": timestamp(data["at"]),
        "type": kind if kind in CONTENT else "unsupported",
        **content,
    }
    if data.get("group"):
        described["group_id"] = data["group"]
    if context := _context(event.organization_id, data.get("context")):
        described["context"] = context
    return described


def edit(event: Event) -> Json:
    """Return the edit of a message."""
    text = {"type": "text", "text": {"body": (event.data.get("text") or {}).get("body", "")}}
    about = {"original_message_id": _named(event.data), "message": text}
    return _about(event, "edit", about)


def revocation(event: Event) -> Json:
    """Return the deletion of a message."""
    return _about(event, "revoke", {"original_message_id": _named(event.data)})


def reaction(event: Event) -> Json:
    """Return a reaction, without an emoji when it was taken back."""
    emoji = event.data.get("emoji")
    about = {"message_id": _named(event.data), **({"emoji": emoji} if emoji else {})}
    return _about(event, "reaction", about)


def lost(event: Event) -> Json:
    """Return a message of which only its existence is known."""
    return {
        "id": wamid(event.data["id"]),
        "timestamp": timestamp(event.at),
        "type": "unsupported",
        "errors": [error_json(Code.MESSAGE_UNAVAILABLE, LOST)],
        "unsupported": {"type": "unknown"},
    }


def _about(event: Event, kind: str, about: Json) -> Json:
    own_id = wamid(change_id(event))
    return {"id": own_id, "timestamp": timestamp(event.at), "type": kind, kind: about}


def _named(data: Mapping[str, Any]) -> str:
    """Return the id of the message that an event is about; WhatsApp's if it is not known here."""
    return wamid(data["id"]) if data.get("id") else str(data.get("whatsappId") or "")


def _context(organization_id: int, given: Mapping[str, Any] | None) -> Json | None:
    """Return the message that is answered, and who wrote it."""
    whatsapp_id = (given or {}).get("whatsappId")
    if not whatsapp_id:
        return None
    found = Message.objects.filter(organization=organization_id, whatsapp_id=whatsapp_id)
    answered = found.select_related("contact").defer("content").first()
    if answered is None:
        return {"id": whatsapp_id}
    received = answered.direction == Message.Direction.IN
    contact = answered.contact
    author = wa_id_of(contact.number, contact.lid) if received else own_number(organization_id)
    return {"from": author, "id": wamid(answered.public_id)}


def _text(data: Mapping[str, Any]) -> Json:
    return {"text": {"body": (data.get("text") or {}).get("body", "")}}


def _media(data: Mapping[str, Any]) -> Json:
    """Return a file: its id and address, by which it is fetched, and what its sender says of it."""
    kind = data["type"]
    about = data.get(kind) or {}
    public_id = (data.get("media") or {}).get("id", "")
    described = {
        "id": public_id,
        "mime_type": about.get("mime_type") or "application/octet-stream",
        "sha256": about.get("sha256") or "",
    }
    for name in ("caption", "filename"):
        if about.get(name):
            described[name] = about[name]
    # Signed when the notification is built, so each try carries one that is good for minutes.
    if public_id and (url := signed_urls.url_of(public_id)):
        described["url"] = url
    if kind == "audio":
        described["voice"] = bool(about.get("voice"))
    return {kind: described}


def _location(data: Mapping[str, Any]) -> Json:
    return {"location": {name: value for name, value in data["location"].items() if value != ""}}


def _contacts(data: Mapping[str, Any]) -> Json:
    cards = (data.get("contacts") or {}).get("contacts") or []
    return {"contacts": [_card(card) for card in cards]}


def _card(card: Mapping[str, Any]) -> Json:
    """Return a contact card: the name, and the numbers of its vCard."""
    name = card.get("name") or ""
    phones = []
    for parameters, number in PHONE.findall(card.get("vcard") or ""):
        phone = {"phone": number.strip(), "type": "CELL"}
        if found := WA_ID.search(parameters):
            phone["wa_id"] = found[1]
        phones.append(phone)
    return {"name": {"formatted_name": name, "first_name": name}, "phones": phones}


def _unsupported(data: Mapping[str, Any]) -> Json:
    return {
        "errors": [error_json(Code.UNSUPPORTED_TYPE, UNSUPPORTED)],
        "unsupported": {"type": data["type"]},
    }


CONTENT: dict[str, Callable[[Mapping[str, Any]], Json]] = {
    "text": _text,
    **dict.fromkeys(["image", "video", "audio", "document", "sticker"], _media),
    "location": _location,
    "contacts": _contacts,
}


def sender_of(person: Mapping[str, Any]) -> Json:
    """Return the sender's address for a received message."""
    return {"from": address_of(person)}


def direction_of(person: Mapping[str, Any], organization_id: int) -> Json:
    """Return the addresses for a message that was written on the phone itself."""
    return {"from": own_number(organization_id), "to": address_of(person)}
