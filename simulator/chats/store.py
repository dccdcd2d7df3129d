"""The tables of messages: people, Signal sessions, waiting stanzas, what was sent and received."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulator.database import Database
from simulator.jids import Jid

_SCHEMA = """
CREATE TABLE IF NOT EXISTS person (
    number TEXT PRIMARY KEY, by_lid INTEGER NOT NULL, hide_number INTEGER NOT NULL,
    auto TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signal_session (
    number TEXT NOT NULL, peer TEXT NOT NULL, states TEXT NOT NULL,
    PRIMARY KEY (number, peer)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, node BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS waiting_device ON waiting (device);
CREATE TABLE IF NOT EXISTS sent (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL, recipient TEXT NOT NULL,
    id TEXT NOT NULL, content TEXT NOT NULL, plain BLOB NOT NULL,
    at REAL NOT NULL, devices INTEGER NOT NULL DEFAULT 0, delivered_at REAL, receipted_at REAL,
    read_at REAL, played_at REAL, dropped_at REAL, UNIQUE (number, id));
CREATE INDEX IF NOT EXISTS sent_recipient ON sent (recipient, seq);
CREATE TABLE IF NOT EXISTS received (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL, sender TEXT NOT NULL,
    id TEXT NOT NULL, content TEXT NOT NULL, at REAL NOT NULL, copies INTEGER NOT NULL,
    repeats INTEGER NOT NULL, UNIQUE (number, sender, id));
CREATE INDEX IF NOT EXISTS received_number ON received (number, seq);
CREATE INDEX IF NOT EXISTS received_id ON received (number, id);
CREATE TABLE IF NOT EXISTS phone_off (number TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_VERSION = 1  # to be raised when a table changes; a new one needs nothing
_TABLES = ("person", "signal_session", "waiting", "sent", "received", "phone_off")
_TIMES = ("delivered_at", "receipted_at", "read_at", "played_at", "dropped_at")


@dataclass(frozen=True, slots=True)
class Person:
    """How the phone of an account behaves.

    `by_lid`: it writes from its LID, otherwise from its number; `hide_number`: without naming the
    other one. `auto`: the receipts that it sends by itself: none, delivered, or read too.
    """

    number: str
    by_lid: bool = True
    hide_number: bool = False
    auto: str = "delivered"


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a phone has sent; `content` is JSON, `plain` is what is encrypted."""

    number: str
    recipient: str
    id: str
    content: str
    plain: bytes


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A message between an account and another one; `plain` is empty if a companion sent it."""

    other: str
    from_me: bool
    id: str
    content: dict[str, Any]
    plain: bytes
    at: float


class ChatStore:
    """The tables of messages in the database of a `Store`."""

    def __init__(self, database: Database) -> None:
        self._db = database
        (version,) = self._db.read("PRAGMA user_version").fetchone()
        if version != _VERSION:
            # Messages of an older simulator are not worth a migration.
            drops = "; ".join(f"DROP TABLE IF EXISTS {table}" for table in _TABLES)
            self._db.run(f"{drops}; PRAGMA user_version = {_VERSION}")
        self._db.run(_SCHEMA)

    def people(self) -> Iterator[Person]:
        """Yield all people, in order of their numbers."""
        rows = self._db.read("SELECT number, by_lid, hide_number, auto FROM person")
        for number, by_lid, hide_number, auto in rows:
            yield Person(number, bool(by_lid), bool(hide_number), auto)

    def save_person(self, person: Person) -> None:
        """Insert or replace a person."""
        row = (person.number, person.by_lid, person.hide_number, person.auto)
        self._db.write("INSERT OR REPLACE INTO person VALUES (?, ?, ?, ?)", row)

    def phones_off(self) -> Iterator[str]:
        """Yield the numbers of the phones that are off."""
        for (number,) in self._db.read("SELECT number FROM phone_off"):
            yield number

    def save_phone_off(self, number: str) -> None:
        """Store that a phone is off."""
        self._db.write("INSERT OR REPLACE INTO phone_off VALUES (?)", (number,))

    def delete_phone_off(self, number: str) -> None:
        """Store that a phone is on."""
        self._db.write("DELETE FROM phone_off WHERE number = ?", (number,))

    def session(self, number: str, peer: str) -> str | None:
        """Return an account's stored Signal sessions with a device, or None."""
        row = self._db.read(
            "SELECT states FROM signal_session WHERE number = ? AND peer = ?", (number, peer)
        ).fetchone()
        return None if row is None else str(row[0])

    def save_session(self, number: str, peer: str, states: str) -> None:
        """Insert or replace an account's Signal sessions with a device."""
        self._db.write(
            "INSERT OR REPLACE INTO signal_session VALUES (?, ?, ?)", (number, peer, states)
        )

    def delete_sessions(self, peer: str) -> None:
        """Delete all accounts' sessions with a device."""
        self._db.write("DELETE FROM signal_session WHERE peer = ?", (peer,))

    def waiting(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield the sequence number, device and encoded node of each waiting stanza, in order."""
        yield from self._db.read("SELECT seq, device, node FROM waiting ORDER BY seq")

    def add_waiting(self, device: Jid, node: bytes) -> int:
        """Store a stanza for a device; return its sequence number."""
        cursor = self._db.write(
            "INSERT INTO waiting (device, node) VALUES (?, ?)", (str(device), node)
        )
        return int(cursor.lastrowid or 0)

    def delete_waiting(self, seq: int) -> None:
        """Delete a stanza that its device has confirmed."""
        self._db.write("DELETE FROM waiting WHERE seq = ?", (seq,))

    def delete_all_waiting(self, device: Jid) -> None:
        """Delete all stanzas for a device."""
        self._db.write("DELETE FROM waiting WHERE device = ?", (str(device),))

    def add_sent(self, sent: Sent) -> None:
        """Store a message that a phone sends."""
        self._db.write(
            "INSERT INTO sent (number, recipient, id, content, plain, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (sent.number, sent.recipient, sent.id, sent.content, sent.plain, time.time()),
        )

    def find_sent(self, number: str, message_id: str) -> Sent | None:
        """Return a message that a phone has sent, or None."""
        row = self._db.read(
            "SELECT number, recipient, id, content, plain FROM sent WHERE number = ? AND id = ?",
            (number, message_id),
        ).fetchone()
        return None if row is None else Sent(*row)

    def find_received(self, number: str, message_id: str) -> dict[str, Any] | None:
        """Return the content of a message that a phone has received, or None."""
        row = self._db.read(
            "SELECT content FROM received WHERE number = ? AND id = ?", (number, message_id)
        ).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def set_devices(self, sent: Sent, devices: int) -> None:
        """Store how many companions of the recipient get a copy of a message."""
        self._db.write(
            "UPDATE sent SET devices = ? WHERE number = ? AND id = ?",
            (devices, sent.number, sent.id),
        )

    def mark_sent(self, number: str, message_id: str, column: str) -> None:
        """Set one of the times of a sent message to now, unless it is set."""
        assert column in _TIMES
        self._db.write(
            f"UPDATE sent SET {column} = ? WHERE number = ? AND id = ? AND {column} IS NULL",
            (time.time(), number, message_id),
        )

    def sent(self, recipient: str, after: int, limit: int) -> list[dict[str, Any]]:
        """Return what phones have sent, to one account or (empty) to all, and its fate."""
        rows = self._db.read(
            f"SELECT seq, number, recipient, id, content, at, devices, {', '.join(_TIMES)}"
            " FROM sent WHERE seq > ? AND (? = '' OR recipient = ?) ORDER BY seq LIMIT ?",
            (after, recipient, recipient, limit),
        )
        return [_sent(*row) for row in rows]

    def exchanged(self, number: str) -> Iterator[Exchanged]:
        """Yield an account's messages with others, also what its companions have sent to people.

        What the phone itself has sent to people comes twice, first with `plain`.
        """
        rows = self._db.read(
            "SELECT number, recipient, id, content, plain, at FROM sent"
            " WHERE (number = ? OR recipient = ?) AND number <> recipient ORDER BY seq",
            (number, number),
        )
        for sender, recipient, message_id, content, plain, at in rows:
            from_me = sender == number
            other = recipient if from_me else sender
            yield Exchanged(other, from_me, message_id, json.loads(content), plain, at)
        rows = self._db.read(
            "SELECT number, id, content, at FROM received WHERE sender = ? ORDER BY seq", (number,)
        )
        for other, message_id, content, at in rows:
            yield Exchanged(other, True, message_id, json.loads(content), b"", at)

    def add_received(self, number: str, sender: str, message_id: str, content: str) -> bool:
        """Store a message that a phone has decrypted; return whether it is the first copy."""
        row = self._db.write(
            "INSERT INTO received (number, sender, id, content, at, copies, repeats)"
            " VALUES (?, ?, ?, ?, ?, 1, 0)"
            " ON CONFLICT DO UPDATE SET copies = copies + 1 RETURNING copies",
            (number, sender, message_id, content, time.time()),
        ).fetchone()
        return bool(row[0] == 1)

    def add_repeat(self, number: str, sender: str, message_id: str) -> None:
        """Count one more delivery of an encrypted message that was decrypted before."""
        self._db.write(
            "UPDATE received SET repeats = repeats + 1 WHERE number = ? AND sender = ? AND id = ?",
            (number, sender, message_id),
        )

    def received(self, number: str, after: int, limit: int) -> list[dict[str, Any]]:
        """Return what a phone has received, oldest first, from a sequence number on."""
        rows = self._db.read(
            "SELECT seq, id, sender, content, at, copies, repeats FROM received"
            " WHERE number = ? AND seq > ? ORDER BY seq LIMIT ?",
            (number, after, limit),
        )
        return [
            {
                "index": seq,
                "id": message_id,
                "from": sender,
                **json.loads(content),
                "at": at,
                "copies": copies,
                "repeats": repeats,
            }
            for seq, message_id, sender, content, at, copies, repeats in rows
        ]

    def delete_all(self) -> None:
        """Delete everything, in one transaction."""
        self._db.run("; ".join(f"DELETE FROM {table}" for table in _TABLES))


def _sent(
    seq: int,
    number: str,
    recipient: str,
    message_id: str,
    content: str,
    at: float,
    devices: int,
    *times: float | None,
) -> dict[str, Any]:
    by_name = dict(zip(_TIMES, times, strict=True))
    return {
        "index": seq,
        "from": number,
        "to": recipient,
        "id": message_id,
        **json.loads(content),
        "at": at,
        "devices": devices,
        "state": _state(devices, by_name),
        **by_name,
    }


def _state(devices: int, times: dict[str, float | None]) -> str:
    """Return the fate of a message at the recipient's companions."""
    if times["receipted_at"] or times["read_at"]:
        return "receipted"
    if not devices:
        return "no_devices"
    if times["dropped_at"]:
        return "dropped"
    return "delivered" if times["delivered_at"] else "queued"
