"""Recognizing clients' stanzas and building the server's."""

from __future__ import annotations

import base64
import json
import os
import time

from .jids import SERVER
from .nodes import Attribute, Node

COMPANION_REG_REFRESH = "companion_reg_refresh"


def is_ping(node: Node) -> bool:
    """Return whether a stanza is a keep-alive ping."""
    return node.tag == "iq" and node.get("xmlns") == "w:p"


def is_logout(node: Node) -> bool:
    """Return whether a stanza asks to unlink the companion."""
    return node.get("xmlns") == "md" and node.child("remove-companion-device") is not None


def is_message(node: Node) -> bool:
    """Return whether a stanza is a message."""
    return node.tag == "message"


def stream_error(code: int) -> Node:
    """Return the stanza that ends a stream with a code: 503 for an outage, 515 for a restart."""
    return Node("stream:error", {"code": str(code)})


def device_removed() -> Node:
    """Return the stanza that ends the stream of an unlinked device."""
    return Node("stream:error", {"code": "401"}, [Node("conflict", {"type": "device_removed"})])


def replaced() -> Node:
    """Return the stanza that ends the stream of a replaced connection."""
    return Node("stream:error", {}, [Node("conflict", {"type": "replaced"})])


def notification(kind: str, stanza_id: str, content: list[Node] | None = None) -> Node:
    """Return a notification from the server; clients acknowledge it by its id."""
    attrs: dict[str, Attribute] = {"from": SERVER, "type": kind, "id": stanza_id}
    return Node("notification", attrs | {"t": str(int(time.time()))}, content)


def passkey_request(stanza_id: str, with_options: bool) -> Node:
    """Return the notification that asks a companion for a passkey.

    Without options, the client must query them.
    """
    options = {
        "challenge": base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="),
        "rpId": "whatsapp.com",
        "timeout": 60_000,
        "allowCredentials": [],
        "userVerification": "preferred",
    }
    content = [Node("passkey_request_options", {}, json.dumps(options).encode())]
    kind = "passkey_prologue_request"
    return notification(kind, stanza_id, content if with_options else None)
