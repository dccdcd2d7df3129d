"""The content of messages: from JSON to WhatsApp's protobuf and back."""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass
from typing import Any

from simulator import wire

from .media import Uploaded

Content = dict[str, Any]
Fields = dict[int, wire.Field]

_CONVERSATION, _CONTACT, _LOCATION, _EXTENDED_TEXT, _PROTOCOL, _CONTACTS = 1, 4, 5, 6, 12, 13
_DEVICE_SENT, _CONTEXT_INFO, _REACTION, _WITH_CAPTION, _EDITED = 31, 35, 46, 53, 58
_WRAPPERS = (_EDITED, _WITH_CAPTION, 37, 40, 55)  # 37, 55: to view once; 40: disappearing
_CONTEXT = 17
_REVOKE, _EDIT = 0, 14


class BadContent(ValueError):
    """The JSON does not describe a message; the text says why."""


@dataclass(frozen=True, slots=True)
class MediaKind:
    """A type of media: the name of its keys, and the numbers of its fields; 0 where it has none."""

    field: int
    keys: str
    mime_type: int
    sha256: int
    size: int
    key: int
    encrypted_sha256: int
    path: int
    caption: int = 0
    filename: int = 0
    seconds: int = 0
    voice: int = 0
    url: int = 1


MEDIA = {
    "image": MediaKind(3, "Image", 2, 4, 5, 8, 9, 11, caption=3),
    "video": MediaKind(9, "Video", 2, 3, 4, 6, 11, 13, caption=7, seconds=5),
    "ptv": MediaKind(66, "Video", 2, 3, 4, 6, 11, 13, caption=7, seconds=5),  # a round video
    "audio": MediaKind(8, "Audio", 2, 3, 4, 7, 8, 9, seconds=5, voice=6),
    "document": MediaKind(7, "Document", 2, 4, 5, 7, 9, 10, caption=20, filename=8),
    "sticker": MediaKind(26, "Image", 5, 2, 9, 4, 3, 8),
}


@dataclass(frozen=True, slots=True)
class Quoted:
    """The message that another one answers: its author's address and its text."""

    author: str = ""
    text: str = ""


def encode(
    content: Content, chat: str = "", quoted: Quoted | None = None, media: Uploaded | None = None
) -> bytes:
    """Return the protobuf of a message, with a secret as official apps add one.

    `chat`: the recipient's address, for messages about another one. Raises BadContent.
    """
    kind = content.get("type")
    part = content.get(str(kind))
    if not isinstance(part, dict):
        raise BadContent("type must be known, and there must be an object of its name")
    context = _encode_context(content, quoted or Quoted())
    try:
        fields = _encode_part(str(kind), part, chat, context, media)
    except BadContent:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadContent(f"{kind} is not complete: {error}") from error
    return wire.encode(fields | {_CONTEXT_INFO: wire.encode({3: os.urandom(32)})})


def encode_device_sent(chat: str, plain: bytes) -> bytes:
    """Return the copy of a message for the sender's other devices. `chat`: the recipient."""
    return wire.encode({_DEVICE_SENT: wire.encode({1: chat, 2: plain})})


def decode(plain: bytes) -> tuple[str, Content]:
    """Return the recipient (of a copy for an own device, else empty) and the content.

    Raises wire.WireError.
    """
    message, chat = wire.decode(plain), ""
    if sent := message.message(_DEVICE_SENT):
        chat, message = sent.text(1), sent.message(2)
    for wrapper in _WRAPPERS:
        if inner := message.message(wrapper).message(1):
            message = inner
    return chat, _decode_message(message)


def stanza_attributes(content: Content) -> tuple[dict[str, str], dict[str, str]]:
    """Return the attributes of the stanza that carries a message, and of its encrypted parts."""
    kind = content["type"]
    part = content[kind]
    attrs, encrypted = {"type": "text"}, {}
    if kind in MEDIA or kind == "contacts":
        media = "ptt" if part.get("voice") else kind
        if kind == "contacts":
            media = "vcard" if len(part["contacts"]) == 1 else "contact_array"
        attrs, encrypted = {"type": "media"}, {"mediatype": media}
    if kind == "reaction":
        attrs["type"] = "reaction"
    if kind in ("edit", "delete", "reaction"):
        encrypted["decrypt-fail"] = "hide"
    if kind == "edit":
        attrs["edit"] = "1"
    elif kind == "delete" or (kind == "reaction" and not part["emoji"]):
        attrs["edit"] = "7"
    return attrs, encrypted


def body(content: Content) -> str:
    """Return the text of a message or the caption of media, empty when it has none."""
    part = content.get(content["type"], {})
    return str(part.get("body") or part.get("caption") or part.get("emoji") or "")


def _encode_part(
    kind: str, part: Content, chat: str, context: Fields, media: Uploaded | None
) -> Fields:
    if kind in MEDIA:
        if media is None:
            raise BadContent(f"{kind} needs data or size")
        return _encode_media(kind, part, context, media)
    if kind == "text":
        text = _text(part, "body")
        return {_EXTENDED_TEXT: wire.encode({1: text} | context)} if context else {1: text}
    if kind == "location":
        fields: Fields = {1: float(part["latitude"]), 2: float(part["longitude"])}
        fields |= {3: part.get("name", ""), 4: part.get("address", "")}
        return {_LOCATION: wire.encode(fields | context)}
    if kind == "contacts":
        return _encode_contacts(part["contacts"], context)
    if kind == "reaction":
        key = _encode_key(part["target"], chat, False)
        at = int(time.time() * 1000)
        return {_REACTION: wire.encode({1: key, 2: _text(part, "emoji"), 4: at})}
    key = _encode_key(part.get("target"), chat, True)
    if kind == "delete":
        return {_PROTOCOL: wire.encode({1: key, 2: _REVOKE})}
    if kind == "edit":
        edited = wire.encode({_CONVERSATION: _text(part, "body")})
        at = int(time.time() * 1000)
        inner = wire.encode({_PROTOCOL: wire.encode({1: key, 2: _EDIT, 14: edited, 15: at})})
        return {_EDITED: wire.encode({1: inner})}
    raise BadContent("unknown type")


def _encode_media(kind: str, part: Content, context: Fields, media: Uploaded) -> Fields:
    numbers = MEDIA[kind]
    fields: Fields = {
        numbers.url: media.url,
        numbers.mime_type: _text(part, "mime_type"),
        numbers.sha256: media.sha256,
        numbers.size: media.size,
        numbers.key: media.key,
        numbers.encrypted_sha256: media.encrypted_sha256,
        numbers.path: media.path,
    }
    for name in ("caption", "filename", "seconds", "voice"):
        number = getattr(numbers, name)
        if number and part.get(name):
            fields[number] = part[name]
    encoded: Fields = {numbers.field: wire.encode(fields | context)}
    if kind == "document" and part.get("caption"):
        return {_WITH_CAPTION: wire.encode({1: wire.encode(encoded)})}
    return encoded


def _encode_contacts(contacts: list[Content], context: Fields) -> Fields:
    parts = [wire.encode({1: _text(c, "name"), 16: _text(c, "vcard")} | context) for c in contacts]
    if len(parts) == 1:
        return {_CONTACT: parts[0]}
    fields: Fields = {1: "contacts", 2: parts}
    return {_CONTACTS: wire.encode(fields | context)}


def _encode_key(target: Any, chat: str, from_me: bool) -> bytes:
    if not isinstance(target, dict):
        raise BadContent("target must be an object with an id")
    return wire.encode(
        {1: chat, 2: int(bool(target.get("from_me", from_me))), 3: _text(target, "id")}
    )


def _encode_context(content: Content, quoted: Quoted) -> Fields:
    context = content.get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise BadContent("context must be an object with an id")
    message = wire.encode({_CONVERSATION: quoted.text})
    return {_CONTEXT: wire.encode({1: _text(context, "id"), 2: quoted.author, 3: message})}


def _decode_message(message: wire.Message) -> Content:
    for kind, numbers in MEDIA.items():
        if numbers.field in message:
            return _decode_media(kind, message.message(numbers.field))
    if _CONVERSATION in message:
        return {"type": "text", "text": {"body": message.text(_CONVERSATION)}}
    if _EXTENDED_TEXT in message:
        part = message.message(_EXTENDED_TEXT)
        text: Content = {"body": part.text(1)}
        if link := part.text(2):
            names = {"url": link, "title": part.text(6), "description": part.text(5)}
            text["preview"] = names | {"thumbnail": base64.b64encode(part.data(16)).decode()}
        return {"type": "text", "text": text} | _decode_context(part)
    if _LOCATION in message:
        part = message.message(_LOCATION)
        location = {"latitude": part.double(1), "longitude": part.double(2)}
        names = {"name": part.text(3), "address": part.text(4)}
        return {"type": "location", "location": location | names} | _decode_context(part)
    if _CONTACT in message or _CONTACTS in message:
        parts = message.message(_CONTACTS).all(2) or [message.message(_CONTACT)]
        contacts = [{"name": part.text(1), "vcard": part.text(16)} for part in parts]
        return {"type": "contacts", "contacts": {"contacts": contacts}}
    if _REACTION in message:
        part = message.message(_REACTION)
        reaction = {"target": _decode_key(part), "emoji": part.text(2)}
        return {"type": "reaction", "reaction": reaction}
    if _PROTOCOL in message:
        return _decode_protocol(message.message(_PROTOCOL))
    return {"type": "unsupported", "unsupported": {}}


def _decode_protocol(part: wire.Message) -> Content:
    target = _decode_key(part)
    if part.number(2) == _EDIT:
        edited = _decode_message(part.message(14))
        return {"type": "edit", "edit": {"target": target, "body": body(edited)}}
    if part.number(2) == _REVOKE and target["id"]:
        return {"type": "delete", "delete": {"target": target}}
    return {"type": "protocol", "protocol": {"number": part.number(2)}}


def _decode_media(kind: str, part: wire.Message) -> Content:
    numbers = MEDIA[kind]
    media: Content = {
        "mime_type": part.text(numbers.mime_type),
        "size": part.number(numbers.size),
        "sha256": part.data(numbers.sha256).hex(),
        "path": part.text(numbers.path),
        "key": part.data(numbers.key).hex(),
    }
    for name in ("caption", "filename"):
        if number := getattr(numbers, name):
            media[name] = part.text(number)
    if kind == "audio":
        media["voice"] = bool(part.number(numbers.voice))
    if numbers.seconds:
        media["seconds"] = part.number(numbers.seconds)
    return {"type": kind, kind: media} | _decode_context(part)


def _decode_key(part: wire.Message) -> Content:
    key = part.message(1)
    return {"id": key.text(3), "from_me": bool(key.number(2))}


def _decode_context(part: wire.Message) -> Content:
    context = part.message(_CONTEXT)
    if not context.text(1):
        return {}
    return {"context": {"id": context.text(1), "text": body(_decode_message(context.message(3)))}}


def _text(part: Content, name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise BadContent(f"{name} must be text")
    return value
