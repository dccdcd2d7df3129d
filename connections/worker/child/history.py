"""Reads the history that a phone sends after it was linked: only the ids of its messages.

The library stores the secret of each of these messages, as it does for those that arrive, so their
ids tell the search for lost messages that they are old (messaging/actions/histories.py). A history
can have tens of thousands of messages with all they say. So it is read by the numbers of its fields
(library_contract.py) where the library has put it: without a copy, and one id after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from connections.worker.child.library_contract import HISTORY_FIELDS
from connections.worker.child.received_content import SHARED_SERVERS

Line = dict[str, Any]

IDS_PER_LINE = 1000

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Histories:
    """Counts the histories of one client that WhatsApp has announced and that are not read yet.

    Its lines go to the client's spool in their order. `client`: the spool's name. The library may
    be done with a history before it passes its announcement on, and calls on several threads.
    """

    def __init__(self, client: str, append: Callable[[Line], object]) -> None:
        self._client = client
        self._append = append
        self._lock = threading.Lock()
        self._open = 0

    def announce(self) -> None:
        """Note that the library downloads one more history."""
        self._change(1)

    def give_up(self) -> None:
        """Note that the library could not download or read one."""
        self._change(-1)

    def keep(self, event: memoryview) -> None:
        """Write the ids of a history. Raises ValueError: it stays open, as its ids are unknown."""
        ids = message_ids(event)
        while part := list(islice(ids, IDS_PER_LINE)):
            self._change(0, part)
        self._change(-1)

    def _change(self, number: int, ids: list[str] | None = None) -> None:
        with self._lock:
            self._open += number
            line = {"kind": "history", "client": self._client, "ids": ids or []}
            self._append(line | {"open": max(0, self._open)})


def message_ids(event: memoryview) -> Iterator[str]:
    """Yield the ids of messages with a secret in a HistorySync event, of chats of two people.

    Raises ValueError when it is damaged.
    """
    fields = HISTORY_FIELDS
    for history in _all(event, fields["HistorySync.Data"]):
        for chat in _all(history, fields["HistorySync.conversations"]):
            if _server_of(chat) in SHARED_SERVERS:
                continue
            for entry in _all(chat, fields["Conversation.messages"]):
                for message in _all(entry, fields["HistorySyncMsg.message"]):
                    if message_id := _id_with_secret(message):
                        yield message_id


def _server_of(chat: memoryview) -> str:
    address = next(_all(chat, HISTORY_FIELDS["Conversation.ID"]), b"")
    return str(address, "utf-8", "replace").rpartition("@")[2]


def _id_with_secret(message: memoryview) -> str:
    """Return the id of a message whose secret the library stores, "" for another."""
    key, has_secret = memoryview(b""), False
    for number, value in _parts(message):
        if number == HISTORY_FIELDS["WebMessageInfo.key"]:
            key = value
        elif number == HISTORY_FIELDS["WebMessageInfo.messageSecret"]:
            has_secret = True
    if not has_secret:
        return ""
    return str(next(_all(key, HISTORY_FIELDS["MessageKey.ID"]), b""), "utf-8", "replace")


def _all(message: memoryview, field: int) -> Iterator[memoryview]:
    """Yield the values of one field."""
    return (value for number, value in _parts(message) if number == field)


def _parts(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the texts, bytes and nested messages of a protobuf message with their numbers."""
    at, size = 0, len(message)
    while at < size:
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _BYTES:
            length, at = _varint(message, at)
            if at + length > size:
                raise ValueError("a field is cut short")
            yield tag >> 3, message[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("an unknown kind of field")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number, and where it ends."""
    value = shift = 0
    try:
        while (byte := message[at]) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            at += 1
    except IndexError:
        raise ValueError("a number is cut short") from None
    return value | byte << shift, at + 1
