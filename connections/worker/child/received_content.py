"""Reads the content of a WhatsApp message: its type and an object of that name."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

Found = dict[str, Any]

# Fields of a message that hold media, and their type.
MEDIA = {
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
}
THUMBNAILS = ("JPEGThumbnail", "pngThumbnail", "contextInfo")
# Fields that accompany the content.
ACCOMPANYING = ("messageContextInfo", "senderKeyDistributionMessage")
# Servers of chats with several people, besides those that the library marks as groups.
SHARED_SERVERS = ("g.us", "broadcast", "newsletter")
HISTORY_NOTICE = "history_sync_notification"
# The key of a group's member, or of a broadcast list's sender. What is written follows as a message
# of its own, under the same id.
SENDER_KEY = "sender_key"
# They hold nothing that a person wrote. An album only counts its pictures: each is a message.
PROTOCOL = (
    *("pinInChatMessage", "keepInChatMessage", "deviceSentMessage", "messageHistoryNotice"),
    "albumMessage",
)


def jid_text(jid: Any) -> str:
    """Return a JID without its device, "" for an empty one."""
    return f"{jid.User}@{jid.Server}" if jid.User else ""


def parse(message: Any, source: Any) -> Found:
    """Return the type of a message, its object, its context, media and whether it has a secret."""
    found: Found = {"media": "", "context": None, **_typed(message, source)}
    found["secret"] = bool(message.messageContextInfo.messageSecret)
    return found


def _typed(message: Any, source: Any) -> Found:
    fields = [field.name for field, _ in message.ListFields()]
    name = next((name for name in fields if name not in ACCOMPANYING), "")
    if name in MEDIA:
        return _media(message, name)
    if name in PARSERS:
        kind, value = PARSERS[name](getattr(message, name), source)
        part = getattr(message, name)
        context = _context(part) if name != "conversation" else None
        return {"type": kind, kind: value, "context": context}
    if name.startswith("poll"):
        return {"type": "poll", "poll": {"field": name}}
    if not name and (number := _unknown_field(message)):
        return {"type": "unsupported", "unsupported": {"field": number}}
    if not name and message.HasField("senderKeyDistributionMessage"):
        return {"type": "protocol", "protocol": {"name": SENDER_KEY}}
    if not name or name in PROTOCOL:
        return {"type": "protocol", "protocol": {"name": name or "none"}}
    return {"type": "unsupported", "unsupported": {"field": name}}


def _unknown_field(message: Any) -> str:
    """Return the number of a field that is newer than the library's definition, "" without any."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    fields = UnknownFieldSet(message)
    return str(fields[0].field_number) if len(fields) else ""


def text_of(message: Any) -> str | None:
    """Return the text or caption of a message, None of one that cannot have any."""
    message = _uncovered(message)
    if message.conversation:
        return str(message.conversation)
    if message.HasField("extendedTextMessage"):
        return str(message.extendedTextMessage.text)
    for name in MEDIA:
        if message.HasField(name):
            caption: str | None = getattr(getattr(message, name), "caption", None)
            return caption
    return None


def _uncovered(message: Any) -> Any:
    """Return what is in the covers of a message, as those of disappearing ones.

    The library takes a message itself out of them, not what is edited or quoted in it.
    """
    while True:
        covers = (part for field, part in message.ListFields() if _is_cover(field))
        cover = next(covers, None)
        if cover is None:
            return message
        message = cover.message


def _is_cover(field: Any) -> bool:
    return bool(field.message_type and field.message_type.name == "FutureProofMessage")


def _context(part: Any) -> Found | None:
    """Return what a message answers to."""
    context = getattr(part, "contextInfo", None)
    if context is None or not context.stanzaID:
        return None
    sender = _without_device(context.participant)
    return {"id": context.stanzaID, "sender": sender, "text": text_of(context.quotedMessage) or ""}


def _without_device(jid: str) -> str:
    user, at, server = jid.partition("@")
    return user.partition(":")[0] + at + server


def _target(key: Any, source: Any) -> Found:
    """Return the message that a key names, as this account sees it.

    A key says "from me" as its sender sees it.
    """
    from_me = key.fromMe if source.IsFromMe else not key.fromMe
    author = _without_device(key.participant) or ("" if from_me else jid_text(source.Chat))
    return {"id": key.ID, "from_me": from_me, "sender": author}


def _media(message: Any, name: str) -> Found:
    """Return a media message, and the part of it that a download needs."""
    part, kind = getattr(message, name), MEDIA[name]
    value: Found = {
        "mime_type": part.mimetype,
        "size": part.fileLength,
        "sha256": part.fileSHA256.hex(),
        "caption": getattr(part, "caption", ""),
        "filename": getattr(part, "fileName", ""),
    }
    if kind in ("audio", "video"):
        value["seconds"] = part.seconds
    if kind == "audio":
        value["voice"] = part.PTT
    needed = type(message)()
    copy = getattr(needed, name)
    copy.CopyFrom(part)
    for field in THUMBNAILS:
        if field in copy.DESCRIPTOR.fields_by_name:
            copy.ClearField(field)
    return {
        "type": kind,
        kind: value,
        "context": _context(part),
        "media": base64.b64encode(needed.SerializeToString()).decode(),
    }


def _conversation(text: Any, _source: Any) -> tuple[str, Found]:
    return "text", {"body": text}


def _extended_text(part: Any, _source: Any) -> tuple[str, Found]:
    return "text", {"body": part.text}


def _location(part: Any, _source: Any) -> tuple[str, Found]:
    return "location", {
        "latitude": part.degreesLatitude,
        "longitude": part.degreesLongitude,
        "name": getattr(part, "name", ""),
        "address": getattr(part, "address", ""),
    }


def _contact(part: Any, _source: Any) -> tuple[str, Found]:
    return "contacts", {"contacts": [{"name": part.displayName, "vcard": part.vcard}]}


def _contacts(part: Any, _source: Any) -> tuple[str, Found]:
    cards = [{"name": card.displayName, "vcard": card.vcard} for card in part.contacts]
    return "contacts", {"contacts": cards}


def _reaction(part: Any, source: Any) -> tuple[str, Found]:
    return "reaction", {"target": _target(part.key, source), "emoji": part.text}


def _protocol(part: Any, source: Any) -> tuple[str, Found]:
    if part.HasField("historySyncNotification"):
        return "protocol", {"name": HISTORY_NOTICE}
    if not part.HasField("type"):
        # It reads as REVOKE then, also where the type is newer than the library.
        return "protocol", {"name": "unknown"}
    name = part.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[part.type].name
    if name == "REVOKE" and part.key.ID:
        return "delete", {"target": _target(part.key, source)}
    body = text_of(part.editedMessage)
    if name == "MESSAGE_EDIT" and part.key.ID and body is not None:
        return "edit", {"target": _target(part.key, source), "body": body}
    return "protocol", {"name": name.lower()}


PARSERS: dict[str, Callable[[Any, Any], tuple[str, Found]]] = {
    "conversation": _conversation,
    "extendedTextMessage": _extended_text,
    "locationMessage": _location,
    "liveLocationMessage": _location,
    "contactMessage": _contact,
    "contactsArrayMessage": _contacts,
    "reactionMessage": _reaction,
    "protocolMessage": _protocol,
}
