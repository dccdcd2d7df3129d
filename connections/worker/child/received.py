"""Converts the library's messages and receipts to lines of a spool (spool.py).

Times are Unix milliseconds. A JID is written `USER@SERVER`, without a device.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from connections.worker.child import received_content as content
from connections.worker.child.library_contract import HISTORY, MESSAGE, RECEIPT, UNDECRYPTABLE

Line = dict[str, Any]

SUBSCRIBED = bytes([MESSAGE, RECEIPT, UNDECRYPTABLE, HISTORY])
# The library names a receipt of playing on an own device "server error".
RECEIPT_TYPES = {"SERVER_ERROR": "played_self"}


def parse(kind: int, data: bytes) -> Line:
    """Return an event as a line; with the raw data if it cannot be read."""
    try:
        return _parse(kind, data)
    except Exception:
        return unparsed(kind, data)


def unparsed(kind: int, data: bytes = b"") -> Line:
    """Return the line of an event that cannot be read."""
    return {"kind": "unparsed", "event": kind, "data": base64.b64encode(data).decode()}


def repeated(message: Line) -> Line:
    """Return a line about a message that came again, and that the library drops."""
    return {"kind": "repeated", **{name: message[name] for name in ("id", "sender", "chat")}}


def encode(line: Line, account: str) -> bytes:
    """Return a line for the spool, without its end, with the time and the own number."""
    line |= {"at": time.time_ns() // 1_000_000, "account": account}
    return json.dumps(line, separators=(",", ":")).encode()


def announces_history(line: Line) -> bool:
    """Return whether the own phone says in a message that it has uploaded a history."""
    protocol = line.get("protocol", {})
    return bool(line.get("from_me") and protocol.get("name") == content.HISTORY_NOTICE)


def _parse(kind: int, data: bytes) -> Line:
    from neonize.proto import Neonize_pb2 as messages

    if kind == RECEIPT:
        return _receipt(messages.Receipt.FromString(data))
    if kind == UNDECRYPTABLE:
        failed = messages.UndecryptableMessage.FromString(data)
        return {
            "kind": "undecryptable",
            **_addressing(failed.Info),
            "unavailable": failed.IsUnavailable,
            # So apps mark what is no message of its own: reactions, edits, deletions, votes.
            "hidden": failed.DecryptFailMode == failed.DECRYPT_FAIL_HIDE,
        }
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
    group = source.IsGroup or source.Chat.Server in content.SHARED_SERVERS
    if _is_from_list(source):
        chat, group = content.jid_text(source.Sender), False
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


def _is_from_list(source: Any) -> bool:
    """Return whether a person wrote it to a broadcast list of theirs that we are on.

    Phones show it in the chat with that person. The library's IsIncomingBroadcast says the same.
    """
    chat = source.Chat
    return bool(chat.Server == "broadcast" and chat.User != "status" and not source.IsFromMe)


def _is_own_phone(source: Any) -> bool:
    """Return whether the own phone sent it: device 0 of the number, whose others are companions."""
    return bool(source.IsFromMe and source.Sender.User and source.Sender.Device == 0)
