"""The content of messages: from JSON to WhatsApp's protobuf and back."""

from __future__ import annotations

import os
from typing import Any

from simulator import wire

Content = dict[str, Any]

_CONVERSATION, _EXTENDED_TEXT, _DEVICE_SENT, _CONTEXT_INFO = 1, 6, 31, 35
_CONTEXT = 17


class BadContent(ValueError):
    """The JSON does not describe a message; the text says why."""


def encode(content: Content) -> bytes:
    """Return the protobuf of a message, with a secret as official apps add one."""
    fields = _encode_text(content)
    fields[_CONTEXT_INFO] = wire.encode({3: os.urandom(32)})
    return wire.encode(fields)


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
    if _CONVERSATION in message:
        return chat, {"type": "text", "text": {"body": message.text(_CONVERSATION)}}
    if _EXTENDED_TEXT in message:
        text = message.message(_EXTENDED_TEXT)
        content = {"type": "text", "text": {"body": text.text(1)}}
        return chat, content | _context(text)
    return chat, {"type": "unsupported"}


def stanza_type(content: Content) -> str:
    """Return the type of the stanza that carries a message."""
    return "text"


def body(content: Content) -> str:
    """Return the text of a message, empty when it has none."""
    return str(content.get("text", {}).get("body", ""))


def _encode_text(content: Content) -> dict[int, wire.Field]:
    text = content.get("text")
    if not isinstance(text, dict) or not isinstance(text.get("body"), str):
        raise BadContent("text needs a body")
    if context := content.get("context"):
        return {_EXTENDED_TEXT: wire.encode({1: text["body"], _CONTEXT: _encode_context(context)})}
    return {_CONVERSATION: text["body"]}


def _encode_context(context: Any) -> bytes:
    if not isinstance(context, dict) or not isinstance(context.get("id"), str):
        raise BadContent("context needs the id of a message")
    return wire.encode({1: context["id"], 3: wire.encode({_CONVERSATION: ""})})


def _context(part: wire.Message) -> Content:
    context = part.message(_CONTEXT)
    return {"context": {"id": context.text(1)}} if context.text(1) else {}
