"""Records as the host process spools them."""

from __future__ import annotations

import secrets
import time
from typing import Any

Record = dict[str, Any]

OWN_NUMBER = "55119876500"
LID, OTHER_LID = "111222333444555", "999888777666555"


def unique_id() -> str:
    """Return an id as WhatsApp's apps choose it."""
    return "3EB0" + secrets.token_hex(9).upper()


def number_jid(number: str) -> str:
    return f"{number}@s.whatsapp.net"


def lid_jid(lid: str) -> str:
    return f"{lid}@lid"


def now_ms() -> int:
    return int(time.time() * 1000)


def message(
    number: str = "", lid: str = "", body: str = "Oi", from_me: bool = False, **fields: Any
) -> Record:
    """Return the record of a text from a person, or to one (`from_me`)."""
    jids = [jid for jid in (lid and lid_jid(lid), number and number_jid(number)) if jid]
    chat, *others = jids
    return {
        "kind": "message",
        "id": unique_id(),
        "timestamp": now_ms(),
        "at": now_ms(),
        "account": OWN_NUMBER,
        "chat": chat,
        "chat_alt": others[0] if others else "",
        "sender": number_jid(OWN_NUMBER) if from_me else chat,
        "sender_alt": "" if from_me or not others else others[0],
        "from_me": from_me,
        "group": False,
        "push_name": "Ana",
        "category": "",
        "edit": "",
        "retry": 0,
        "type": "text",
        "text": {"body": body, "preview_url": False},
        "context": None,
        "media": "",
        "secret": True,
        **fields,
    }


def change(kind: str, target: str, *, of_us: bool, number: str = "", **fields: Any) -> Record:
    """Return the record of a reaction, an edit or a deletion of a message (`of_us`: our own)."""
    content: Record = {key: fields.pop(key) for key in ("emoji", "body") if key in fields}
    about: Record = {"target": {"id": target, "from_me": of_us, "sender": ""}, **content}
    found: Record = {**message(number, **fields), "type": kind, kind: about}
    del found["text"]
    return found


def group_message(number: str, group: str = "12036304@g.us", **fields: Any) -> Record:
    found = message(number, **fields)
    found |= {"chat": group, "chat_alt": "", "group": True, "sender": number_jid(number)}
    return found


def undecryptable(number: str = "", lid: str = "", **fields: Any) -> Record:
    found = message(number, lid, **fields)
    for name in ("type", "text", "context", "media", "secret", "retry"):
        del found[name]
    return {**found, "kind": "undecryptable", "unavailable": False}


def receipt(*ids: str, kind: str = "delivered", **fields: Any) -> Record:
    return {
        "kind": "receipt",
        "ids": list(ids),
        "type": kind,
        "timestamp": now_ms(),
        "at": now_ms(),
        "account": OWN_NUMBER,
        "chat": lid_jid(LID),
        "sender": lid_jid(LID),
        "from_me": False,
        **fields,
    }
