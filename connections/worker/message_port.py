"""What the worker needs to know of messages: it moves them, and does not know what they are.

The commands that start a worker hand it an implementation (`messaging.port`). All methods are
blocking and use the database, but those that say that they use the storage of files, which may be
slow: they use no database. What is stored a second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from connections.actions import Fence

MAINTENANCE = "maintenance"
"""The kind of the work of `MessagePort.maintain`, for `broadcast.notify_work`."""

Record = Mapping[str, Any]
"""One line of a spool: see connections/worker/child/spool.py."""


@dataclass(frozen=True)
class Outgoing:
    """A message to hand to the library now; it is marked as being sent.

    `content`: for `ClientHandle.send`. `resolve`: the number to ask WhatsApp about first, as
    `+5511…`, or "". `media`: the name of its file in the storage, or "". `link`: what it shows a
    preview of, or "". `others_wait`: whether the connection had further messages then.
    """

    message_id: int
    fence: Fence
    content: dict[str, Any]
    resolve: str = ""
    media: str = ""
    link: str = ""
    others_wait: bool = False


@dataclass(frozen=True)
class SendOutcome:
    """What became of an outgoing message. `error`: as in `SendResult`, "" for accepted.

    `whatsapp_id`: also set when the outcome is unknown and the library's table names the id.
    `maybe_sent`: WhatsApp may have it although there is an error. `final`: the library has ended
    its call; before, a time-out means that it still tries.
    """

    message_id: int
    fence: Fence
    whatsapp_id: str = ""
    at: int = 0
    error: str = ""
    code: int = 0
    maybe_sent: bool = False
    final: bool = True


@dataclass(frozen=True)
class Interrupted:
    """A message whose sending nobody follows any more. `secret`: what the library stored of it.

    `unknown`: it is told as unknown already, and only its id is missing.
    """

    message_id: int
    connection_id: int
    store: str
    secret: bytes
    unknown: bool = False


@dataclass(frozen=True)
class ReadMark:
    """A received message that was read here, or a voice message that was played."""

    message_id: int
    connection_id: int
    whatsapp_id: str
    chat: str
    sender: str
    played: bool

    def group_key(self) -> tuple[int, str, str, bool]:
        """Return what messages have in common that one call marks."""
        return self.connection_id, self.chat, self.sender, self.played


@dataclass(frozen=True)
class MediaFetch:
    """Media of a received message to fetch now. `source`: for the library. `limit`: in bytes."""

    media_id: int
    connection_id: int
    source: str
    limit: int


class MediaNotSaved(Exception):
    """Fetched media is not in the storage. Its text: the error for `record_media_failure`."""


SavedMedia = Any
"""Fetched media that is in the storage: what `MessagePort.save_media` returns."""


@dataclass(frozen=True)
class StoredSecret:
    """A message in the library's table of secrets: it was decrypted, or is about to be sent."""

    row: int
    chat: str
    sender: str
    whatsapp_id: str
    secret: bytes


class MessagePort(Protocol):
    """Stores what comes in, and says what goes out."""

    def store_incoming(self, batches: Sequence[tuple[int, Sequence[Record]]]) -> None:
        """Store records of organizations, each once."""

    def with_outgoing(self, connection_ids: Collection[int]) -> Mapping[int, datetime]:
        """Return those of these connections in which a message waits, and when one may leave."""

    def take_outgoing(self, fences: Sequence[Fence]) -> Mapping[int, Outgoing | datetime | None]:
        """Mark the next message of each of these connections as being sent, and return them.

        By connection. A time: pacing lets nothing leave before. None: nothing may leave now. Not
        there: it can be tried again at once.
        """

    def record_resolved(
        self, outgoing: Outgoing, found: Mapping[str, str] | None, error: str
    ) -> Outgoing | None:
        """Store what WhatsApp said about a number. Return what to send, None for nothing."""

    def record_outcomes(self, found: Sequence[SendOutcome]) -> None:
        """Store the outcomes of messages."""

    def interrupted(
        self, worker_id: int, in_flight: Collection[int], looked_up: Collection[int] = ()
    ) -> list[Interrupted]:
        """Return messages of this worker's or of nobody's connections that nobody follows.

        Among them unknown ones without an id, unless they are in `looked_up`.
        """

    def record_interrupted(self, message: Interrupted, whatsapp_id: str | None) -> None:
        """Store what the table of secrets says: an id, or "" when it was never sent.

        None: the table cannot be read, or its device is gone.
        """

    def read_media(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file, by the storage. Raises FileNotFoundError."""

    def media_to_fetch(
        self, connection_ids: Collection[int]
    ) -> tuple[list[MediaFetch], datetime | None]:
        """Return media that is due, one for each of these connections that has some.

        And when the first of the others will have some.
        """

    def save_media(self, path: Path) -> SavedMedia:
        """Put media that was fetched into a file into the storage. Raises MediaNotSaved."""

    def record_media(self, media: MediaFetch, saved: SavedMedia) -> bool:
        """Note that media is in the storage. Return False when it is not kept."""

    def discard_media(self, saved: SavedMedia) -> None:
        """Delete media from the storage that is not kept."""

    def record_media_failure(self, media: MediaFetch, error: str) -> None:
        """Store why media was not fetched or not saved: "gone", "too_large" or another."""

    def pending_marks(self, connection_ids: Collection[int]) -> list[ReadMark]:
        """Return the read marks that WhatsApp was not told of yet."""

    def end_marks(self, marks: Sequence[ReadMark]) -> None:
        """Note that WhatsApp was told of these read marks."""

    def chat_of(self, connection_id: int, contact_id: int) -> str:
        """Return the JID of the chat with a contact, "" if there is none."""

    def secrets_position(self, fence: Fence) -> int:
        """Return the newest row of the connection's table of secrets that was compared."""

    def record_secrets(
        self, fence: Fence, secrets: Sequence[StoredSecret], position: int, newest: int
    ) -> int | None:
        """Report messages of the table that were never stored, and keep the position.

        `newest`: the newest row of the table. Return the position to go on from, None while nothing
        can be compared.
        """

    def maintain(self) -> datetime | None:
        """Expire what waited too long, and give up what stayed unreadable.

        Return when that is needed next, as far as is known.
        """

    def forget(self) -> None:
        """Delete what is remembered for a time only; reads whole tables."""

    def organizations_to_clean(self) -> list[int]:
        """Return the organizations to clean."""

    def clean(self, organization_id: int) -> None:
        """Delete what an organization does not keep any longer."""
