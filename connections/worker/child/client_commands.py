"""Executes the commands of a client that do not change whether it runs (host_process.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connections.worker.child.library_client import Client, Event

COMMANDS = ("send", "resolve", "mark_read", "typing", "download", "trim_spool")

# What a command answers when its client has ended or was never opened.
_UNSENT = {"id": "", "at": 0, "error": "not_connected", "code": 0, "maybe_sent": False}
_ANSWERS: dict[str, Event] = {
    "send": {"event": "send_done", **_UNSENT},
    "resolve": {"event": "resolve_done", "error": "not_connected", "found": {}},
    "mark_read": {"event": "mark_read_done", "error": "not_connected"},
    "typing": {"event": "call_failed", "what": "typing", "error": "not_connected"},
    "download": {"event": "download_done", "error": "failed", "size": 0, "mime_type": ""},
    "trim_spool": {"event": "spool_trimmed", "dropped": 0},
}


def execute(
    client: Client | None, command: Mapping[str, Any], emit: Callable[[Event], None]
) -> None:
    """Execute one of COMMANDS, or answer that there is no client."""
    what = command["do"]
    if client is None:
        key = {what: command[what]} if what in command else {}
        emit({**_ANSWERS[what], **key})
    elif what == "send":
        client.calls.send(command["send"], command["content"])
    elif what == "resolve":
        client.calls.resolve(command["resolve"], command["numbers"])
    elif what == "mark_read":
        client.calls.mark_read(
            command["mark_read"],
            command["ids"],
            command["chat"],
            command["sender"],
            command["played"],
        )
    elif what == "typing":
        client.calls.typing(command["chat"], command["on"])
    elif what == "download":
        client.calls.download(
            command["download"], command["media"], command["path"], command["limit"]
        )
    else:
        client.trim_spool(command["upto"])
