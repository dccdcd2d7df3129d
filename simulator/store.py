"""Persistent phones, linked devices and settings, in one SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .database import Database
from .jids import Jid
from .phone import Phone
from .signal.identity import Bundle
from .xeddsa import KeyPair

_SCHEMA = """
CREATE TABLE IF NOT EXISTS phone (
    number TEXT PRIMARY KEY, lid TEXT NOT NULL, seed BLOB NOT NULL, name TEXT NOT NULL,
    platform TEXT NOT NULL, raw_id INTEGER NOT NULL,
    last_device INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS device (
    number TEXT NOT NULL REFERENCES phone, device INTEGER NOT NULL, noise_key BLOB NOT NULL,
    identity BLOB NOT NULL, prekeys INTEGER NOT NULL, logins INTEGER NOT NULL,
    PRIMARY KEY (number, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bundle (
    number TEXT NOT NULL, device INTEGER NOT NULL, registration INTEGER NOT NULL,
    identity BLOB NOT NULL, signed_id INTEGER NOT NULL, signed BLOB NOT NULL,
    signature BLOB NOT NULL, keys BLOB NOT NULL,
    PRIMARY KEY (number, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Device:
    """A linked companion: its phone, device number, keys, and numbers of prekeys and logins."""

    phone: Phone
    device: int
    noise_key: bytes
    identity: bytes
    prekeys: int = 0
    logins: int = 0

    @property
    def jid(self) -> Jid:
        """Return the device's address."""
        return self.phone.jid(self.device)


class Store:
    """The SQLite file of a World."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.database.run(_SCHEMA)

    def commit(self) -> None:
        """Commit what was written in this turn of the event loop."""
        self.database.commit()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def phones(self) -> Iterator[Phone]:
        """Yield all phones."""
        for number, lid, seed, *rest in self.database.read("SELECT * FROM phone"):
            yield Phone(number, lid, KeyPair(seed), *rest)

    def devices(self, phones: dict[str, Phone]) -> Iterator[Device]:
        """Yield all linked devices. `phones`: by number."""
        for number, *rest in self.database.read("SELECT * FROM device"):
            yield Device(phones[number], *rest)

    def save_phone(self, phone: Phone) -> None:
        """Insert or replace a phone."""
        self.database.write(
            "INSERT OR REPLACE INTO phone VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                phone.number,
                phone.lid,
                phone.keys.seed,
                phone.name,
                phone.platform,
                phone.raw_id,
                phone.last_device,
            ),
        )

    def save_device(self, device: Device) -> None:
        """Insert or replace a linked device."""
        self.database.write(
            "INSERT OR REPLACE INTO device VALUES (?, ?, ?, ?, ?, ?)",
            (
                device.phone.number,
                device.device,
                device.noise_key,
                device.identity,
                device.prekeys,
                device.logins,
            ),
        )

    def delete_device(self, device: Device) -> None:
        """Delete a linked device."""
        for table in ("device", "bundle"):
            self.database.write(
                f"DELETE FROM {table} WHERE number = ? AND device = ?",
                (device.phone.number, device.device),
            )

    def save_bundle(self, device: Device, bundle: Bundle, keys: bytes) -> None:
        """Insert or replace a linked device's bundle and one-time keys."""
        self.database.write(
            "INSERT OR REPLACE INTO bundle VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                device.phone.number,
                device.device,
                bundle.registration,
                bundle.identity,
                bundle.signed_id,
                bundle.signed,
                bundle.signature,
                keys,
            ),
        )

    def bundle(self, device: Device) -> tuple[Bundle, bytes] | None:
        """Return a linked device's bundle and one-time keys, or None."""
        row = self.database.read(
            "SELECT registration, identity, signed_id, signed, signature, keys FROM bundle "
            "WHERE number = ? AND device = ?",
            (device.phone.number, device.device),
        ).fetchone()
        return None if row is None else (Bundle(*row[:5]), row[5])

    def delete_all(self) -> None:
        """Delete all devices and phones, in one transaction."""
        self.database.run("DELETE FROM device; DELETE FROM bundle; DELETE FROM phone")

    def setting(self, name: str) -> str | None:
        """Return a stored setting, or None."""
        row = self.database.read("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def save_setting(self, name: str, value: str) -> None:
        """Store a setting."""
        self.database.write("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))
