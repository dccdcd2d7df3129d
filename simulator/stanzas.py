"""The stanzas that have a meaning of their own: to recognize a client's, to build the server's."""

from __future__ import annotations

import base64
import json
import os
import time

from .jids import SERVER
from .nodes import Attribute, Node

COMPANION_REG_REFRESH = "companion_reg_refresh"


def is_ping(node: Node) -> bool:
    """Whether a client asks if the server is still there."""
    return node.tag == "iq" and node.get("xmlns") == "w:p"


def is_logout(node: Node) -> bool:
    """Whether a companion asks to be unlinked."""
    return node.get("xmlns") == "md" and node.child("remove-companion-device") is not None


def is_message(node: Node) -> bool:
    """Whether a client sends a message."""
    return node.tag == "message"


def stream_error(code: int) -> Node:
    """Return the stanza that ends a stream with a bare code: 503 an outage, 515 a restart."""
    return Node("stream:error", {"code": str(code)})


def device_removed() -> Node:
    """Return the stanza that tells a live device that its phone has unlinked it."""
    return Node("stream:error", {"code": "401"}, [Node("conflict", {"type": "device_removed"})])


def replaced() -> Node:
    """Return the stanza that tells a client that another one took its place."""
    return Node("stream:error", {}, [Node("conflict", {"type": "replaced"})])


def notification(kind: str, stanza_id: str, content: list[Node] | None = None) -> Node:
    """Return a notification from the server itself; clients acknowledge it by its id."""
    attrs: dict[str, Attribute] = {"from": SERVER, "type": kind, "id": stanza_id}
    return Node("notification", attrs | {"t": str(int(time.time()))}, content)


def passkey_request(stanza_id: str, with_options: bool) -> Node:
    """Return the notification that asks a companion for a passkey.

    Without the options the client has to query them.
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
