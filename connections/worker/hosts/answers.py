"""What a client in a host process answers to the worker's calls."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The answers' events, and the field that has the key of the call.
KEYS = {
    "uploaded": "send",
    "send_done": "send",
    "resolve_done": "resolve",
    "mark_read_done": "mark_read",
    "download_done": "download",
    "spool_trimmed": "",
}


@dataclass(frozen=True)
class SendResult:
    """What became of a message. `maybe_sent`: there is an error, but WhatsApp may have it.

    `error`: "" · refused (`code`: WhatsApp's number) · not_on_whatsapp · not_connected ·
    timed_out · lost · stopped · upload_failed · unsupported · failed. `at`: Unix seconds, by
    WhatsApp.
    """

    id: str = ""
    at: int = 0
    error: str = ""
    code: int = 0
    maybe_sent: bool = False


@dataclass(frozen=True)
class Resolved:
    """What WhatsApp says about numbers: "lid" and "phone" of each, None if it is not there."""

    error: str = ""
    found: Mapping[str, dict[str, str] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Downloaded:
    """What became of a download. `error`: "" · gone · too_large · timed_out · lost · failed."""

    error: str = ""
    size: int = 0
    mime_type: str = ""


class Answers:
    """Matches the answers of one client to the calls that wait for them."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], asyncio.Future[Mapping[str, Any]]] = {}
        self._keys = itertools.count(1)
        self._ended = False

    def new_key(self) -> str:
        return str(next(self._keys))

    def expect(self, event: str, key: str = "") -> asyncio.Future[Mapping[str, Any]]:
        """Return the future of an answer; its result is empty if the client ends first."""
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[event, key] = answer
        answer.add_done_callback(lambda _: self._waiting.pop((event, key), None))
        if self._ended:
            answer.set_result({})
        return answer

    def receive(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event is an answer, and pass it on if somebody waits for it."""
        name = event["event"]
        if name not in KEYS:
            return False
        answer = self._waiting.get((name, event.get(KEYS[name], "")))
        if answer is not None and not answer.done():
            answer.set_result(event)
        return True

    def end(self) -> None:
        """Answer all calls that still wait, and later ones: no answer comes any more."""
        self._ended = True
        for answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_result({})
