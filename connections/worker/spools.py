"""The spools on disk: what WhatsApp brought and the database does not have yet (child/spool.py).

Each client of a host has a file of its own: DATA_DIR/spool/CONNECTION/STORE-RANDOM.spool. The
client of a pairing writes a `.pairing` file: what a phone that is refused brings is not the
organization's. It becomes a `.spool` when the store is the organization's.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from organizations.encryption import encrypt

SUFFIX, PAIRING_SUFFIX = ".spool", ".pairing"
# A pairing's spool whose store was not used for so long belongs to a phone that was refused.
PAIRING_SECONDS = 3600.0
# What is stored in one transaction. The ids of a history then take a fifth of a second.
BATCH_LINES, BATCH_BYTES = 200, 256 * 1024


@dataclass(frozen=True)
class Leftover:
    """A spool without a client: its host process has ended."""

    connection_id: int
    store: str
    path: Path


@dataclass(frozen=True)
class Batch:
    """Lines of a spool. `end`: the offset behind the last of them."""

    lines: list[dict[str, Any]]
    end: int


def new_path(connection_id: int, store: str, pairing: bool = False) -> Path:
    """Return the path of a new spool for a client of a store. Makes its folder."""
    folder = _root() / str(connection_id)
    for part in (_root(), folder):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    suffix = PAIRING_SUFFIX if pairing else SUFFIX
    return folder / f"{store}-{secrets.token_hex(8)}{suffix}"


def publish_pairing(connection_id: int, store: str) -> None:
    """Let the spools of a store's pairing be read: the store is the organization's now."""
    for path in (_root() / str(connection_id)).glob(f"{store}-*{PAIRING_SUFFIX}"):
        path.rename(path.with_suffix(SUFFIX))


def put_aside(connection_id: int, line: str) -> None:
    """Keep a line that the database refuses, for a person to look at: CONNECTION/refused.

    It may stay for long, so it is encrypted, as texts in the database are.
    """
    path = _root() / str(connection_id) / "refused"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(encrypt(line.encode()) + "\n")


def remove_old_pairings() -> None:
    """Remove the spools of pairings whose stores never became an organization's."""
    for path in _root().glob(f"*/*{PAIRING_SUFFIX}"):
        if time.time() - _changed_at(path) > PAIRING_SECONDS and not is_in_use(path):
            path.unlink(missing_ok=True)


def of(connection_id: int) -> set[Path]:
    """Return the spools of a connection, with or without a living client."""
    return set((_root() / str(connection_id)).glob(f"*{SUFFIX}"))


def connections() -> set[int]:
    """Return the connections of which there is anything, also lines that were put aside."""
    return {int(folder.name) for folder in _root().glob("*/") if folder.name.isdecimal()}


def leftovers(connection_id: int | None = None) -> Iterator[Leftover]:
    """Yield the spools that no living client writes, oldest first for each connection.

    `connection_id`: those of one connection alone.
    """
    for folder in sorted(_root().glob("*/" if connection_id is None else f"{connection_id}/")):
        if not folder.name.isdecimal():
            continue
        for path in sorted(folder.glob(f"*{SUFFIX}"), key=_changed_at):
            if not is_in_use(path):
                store = path.name.removesuffix(SUFFIX).rpartition("-")[0]
                yield Leftover(int(folder.name), store, path)


def is_in_use(path: Path) -> bool:
    """Return whether a client holds the spool's lock."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def read(path: Path, offset: int) -> Batch:
    """Return the next lines from an offset; none at the end. Raises OSError.

    A last line without an end is left out: it is being written, or its writer was killed. A line
    that is no JSON object becomes one of kind "broken".
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(BATCH_BYTES)
            if data and b"\n" not in data:  # one line that is longer than a batch
                data += file.readline()
    except FileNotFoundError:
        return Batch([], offset)
    whole, newline, _ = data.rpartition(b"\n")
    raw = whole.split(b"\n")[:BATCH_LINES] if newline else []
    end = offset + sum(len(line) + 1 for line in raw)
    return Batch([_parse(line) for line in raw], end)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"kind": "broken", "size": len(line)}


def remove(path: Path) -> bool:
    """Remove a spool whose lines are all stored. Return False if a client writes it."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass
    path.with_name(f"{path.name}.new").unlink(missing_ok=True)  # of a host killed in a trim
    return True


def remove_all(connection_id: int) -> None:
    """Remove all that is left of a connection that is being removed, on this machine."""
    shutil.rmtree(_root() / str(connection_id), ignore_errors=True)


def _root() -> Path:
    return Path(settings.DATA_DIR) / "spool"


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
