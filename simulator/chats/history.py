"""The history that a phone sends to its companions: blobs of old messages, and their notices.

The shapes and the numbers of their fields are those that whatsmeow reads (`DownloadHistorySync`,
waHistorySync, waWeb, waE2E).
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from simulator import wire
from simulator.phone import Phone
from simulator.world import World

from . import content
from .media import MediaStore, Uploaded
from .store import ChatStore, Person

BOOTSTRAP, RECENT = "initial_bootstrap", "recent"
TYPES = {BOOTSTRAP: 0, "full": 2, RECENT: 3, "push_name": 4}
# A bootstrap has only the last messages of each chat.
_BOOTSTRAP_MESSAGES = 5
# What a chat shows as a message; the others are about one.
_SHOWN = frozenset({"text", "location", "contacts", *content.MEDIA})
_PROTOCOL, _CONTEXT_INFO, _HISTORY_NOTICE = 12, 35, 5
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class OldMessage:
    """A message of the phone's chats. `plain`: as it was encrypted, with its secret."""

    id: str
    from_me: bool
    at: float
    plain: bytes


@dataclass(slots=True)
class Chat:
    """A chat with one other account, newest message first."""

    phone: Phone
    jid: str
    messages: list[OldMessage] = field(default_factory=list)


class Histories:
    """Reads the chats of phones, and makes blobs and notices of them."""

    def __init__(
        self,
        world: World,
        store: ChatStore,
        media: MediaStore,
        person: Callable[[str], Person],
    ) -> None:
        self._world = world
        self._store = store
        self._media = media
        self._person = person

    def notice(self, phone: Phone, kind: str, inline: bool, older: int) -> tuple[bytes, list[str]]:
        """Upload the history of a phone; return the notice for its companions, and the ids in it.

        `inline`: the notice carries the blob itself. `older`: so many made-up texts of earlier
        times, spread over the phone's chats.
        """
        chats = self._chats(phone)
        if older and chats:
            _add_older(list(chats.values()), older)
        if kind == BOOTSTRAP:
            for chat in chats.values():
                del chat.messages[_BOOTSTRAP_MESSAGES:]
        blob = zlib.compress(_encode_history(kind, chats.values()))
        uploaded = None if inline else self._media.upload("History", blob)
        ids = [message.id for chat in chats.values() for message in chat.messages]
        return _encode_notice(kind, blob, uploaded), [] if kind == "push_name" else ids

    def _chats(self, phone: Phone) -> dict[str, Chat]:
        """Return the chats of a phone by the other number."""
        chats: dict[str, Chat] = {}
        known: set[str] = set()
        for row in self._store.exchanged(phone.number):
            other = self._world.phones.get(row.other)
            if row.id in known or other is None or row.content["type"] not in _SHOWN:
                continue
            plain = row.plain or _encode_again(row.content)
            if plain is None:
                continue
            known.add(row.id)
            person = self._person(row.other)
            jid = other.lid_jid(0) if person.by_lid else other.jid(0)
            chat = chats.setdefault(row.other, Chat(other, str(jid)))
            chat.messages.append(OldMessage(row.id, row.from_me, row.at, plain))
        for chat in chats.values():
            chat.messages.sort(key=lambda message: -message.at)
        return chats


def _encode_again(message: content.Content) -> bytes | None:
    """Return the protobuf of a text that a companion has sent; only phones keep other contents."""
    if message["type"] != "text":
        return None
    return content.encode({"type": "text", "text": {"body": content.body(message)}})


def _add_older(chats: list[Chat], count: int) -> None:
    now = time.time()
    for index in range(count):
        chat = chats[index % len(chats)]
        text = f"old message {index}, " + "about this and that " * 10
        plain = content.encode({"type": "text", "text": {"body": text}})
        message_id = "3A" + os.urandom(9).hex().upper()
        at = now - _HOUR * (index + 1)
        chat.messages.append(OldMessage(message_id, index % 2 == 1, at, plain))


def _encode_history(kind: str, chats: Iterable[Chat]) -> bytes:
    fields: dict[int, wire.Field] = {1: TYPES[kind]}
    found = list(chats)
    if kind == "push_name":
        names = [{1: str(chat.phone.jid(0)), 2: chat.phone.name} for chat in found]
        return wire.encode(fields | {7: [wire.encode(name) for name in names if name[2]]})
    mappings = [
        wire.encode({1: str(chat.phone.jid(0)), 2: str(chat.phone.lid_jid(0))}) for chat in found
    ]
    conversations = list(map(_encode_chat, found))
    return wire.encode(fields | {2: conversations, 5: 1, 6: 100, 15: mappings})


def _encode_chat(chat: Chat) -> bytes:
    messages = [
        wire.encode({1: _encode_message(chat.jid, message), 2: len(chat.messages) - index})
        for index, message in enumerate(chat.messages)
    ]
    return wire.encode({1: chat.jid, 2: messages, 13: chat.phone.name})


def _encode_message(chat: str, message: OldMessage) -> bytes:
    key = wire.encode({1: chat, 2: int(message.from_me), 3: message.id})
    secret = wire.decode(message.plain).message(_CONTEXT_INFO).data(3)
    fields: dict[int, wire.Field] = {1: key, 2: message.plain, 3: int(message.at)}
    return wire.encode(fields | ({49: secret} if secret else {}))


def _encode_notice(kind: str, blob: bytes, uploaded: Uploaded | None) -> bytes:
    fields: dict[int, wire.Field] = {}
    if uploaded is not None:
        fields |= {1: uploaded.sha256, 2: uploaded.size, 3: uploaded.key}
        fields |= {4: uploaded.encrypted_sha256, 5: uploaded.path}
    fields |= {6: TYPES[kind], 7: 1, 9: 100}
    if uploaded is None:
        fields[11] = blob
    return wire.encode({_PROTOCOL: wire.encode({2: _HISTORY_NOTICE, 6: wire.encode(fields)})})
