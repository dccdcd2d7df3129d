"""Converts the library's messages and receipts to lines of a spool (spool.py).

Times are Unix milliseconds. A JID is written `USER@SERVER`, without a device.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from connections.worker.child import received_content as content
from connections.worker.child.library_contract import MESSAGE, RECEIPT, UNDECRYPTABLE

Line = dict[str, Any]

SUBSCRIBED = bytes([MESSAGE, RECEIPT, UNDECRYPTABLE])
# Servers of chats with several people, besides those that the library marks as groups.
SHARED_SERVERS = ("g.us", "broadcast", "newsletter")
# The library names a receipt of playing on an own device "server error".
RECEIPT_TYPES = {"SERVER_ERROR": "played_self"}


def spool_line(kind: int, data: bytes, account: str) -> bytes:
    """Return an event as a line without its end; with the raw data if it cannot be read."""
    try:
        line = _parse(kind, data)
    except Exception:
        line = {"kind": "unparsed", "event": kind, "data": base64.b64encode(data).decode()}
    line |= {"at": time.time_ns() // 1_000_000, "account": account}
    return json.dumps(line, separators=(",", ":")).encode()


def repeated_line(message: Line, account: str) -> bytes:
    """Return a line about a message that came again, and that the library drops."""
    about = {name: message[name] for name in ("id", "sender", "chat")}
    line = {"kind": "repeated", **about, "at": time.time_ns() // 1_000_000, "account": account}
    return json.dumps(line, separators=(",", ":")).encode()


def _parse(kind: int, data: bytes) -> Line:
    from neonize.proto import Neonize_pb2 as messages

    if kind == RECEIPT:
        return _receipt(messages.Receipt.FromString(data))
    if kind == UNDECRYPTABLE:
        failed = messages.UndecryptableMessage.FromString(data)
        line = _addressing(failed.Info)
        return {"kind": "undecryptable", **line, "unavailable": failed.IsUnavailable}
    event = messages.Message.FromString(data)
    return {
        "kind": "message",
        **_addressing(event.Info),
        "retry": event.RetryCount,
        **content.parse(event.Message, event.Info.MessageSource),
    }


def _addressing(info: Any) -> Line:
    """Return who wrote to whom, when, and the message's id."""
    source = info.MessageSource
    chat, sender_alt = content.jid_text(source.Chat), content.jid_text(source.SenderAlt)
    group = source.IsGroup or source.Chat.Server in SHARED_SERVERS
    chat_alt = content.jid_text(source.RecipientAlt) if source.IsFromMe else sender_alt
    return {
        "id": info.ID,
        "timestamp": info.Timestamp,
        "chat": chat,
        "chat_alt": "" if group else chat_alt,
        "sender": content.jid_text(source.Sender),
        "sender_alt": sender_alt,
        "from_me": source.IsFromMe,
        "phone": _is_own_phone(source),
        "group": group,
        "push_name": info.Pushname,
        "category": info.Category,
        "edit": info.Edit,
    }


def _receipt(receipt: Any) -> Line:
    source = receipt.MessageSource
    name = receipt.ReceiptType.Name(receipt.Type) if receipt.HasField("Type") else "unknown"
    return {
        "kind": "receipt",
        "ids": list(receipt.MessageIDs),
        "type": RECEIPT_TYPES.get(name, name.lower()),
        "timestamp": receipt.Timestamp * 1000,
        "chat": content.jid_text(source.Chat),
        "sender": content.jid_text(source.Sender),
        "from_me": source.IsFromMe,
        "phone": _is_own_phone(source),
    }


def _is_own_phone(source: Any) -> bool:
    """Return whether the own phone sent it: device 0 of the number, whose others are companions."""
    return bool(source.IsFromMe and source.Sender.User and source.Sender.Device == 0)
