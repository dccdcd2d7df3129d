"""Where backups are: a file, a bucket of S3, or a pipe (`-`)."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from whatsapp_orgs.backups import s3
from whatsapp_orgs.backups.errors import BackupError

PIPE = "-"
NAMES = re.compile(r"whatsapp-orgs-\d{8}T\d{6}Z\.backup")
"""The names that backups get in a folder; only such files are ever removed."""
LEFT = re.compile(rf"\.{NAMES.pattern}\.[0-9a-f]{{8}}")
# A file of a backup that was killed is removed when it was not written for so long.
LEFT_SECONDS = 24 * 3600.0


def with_name(place: str, now: datetime) -> str:
    """Return the place; in a folder or below a prefix, that of a file with the time in its name."""
    if place.endswith("/") or (not s3.is_address(place) and Path(place).is_dir()):
        return f"{place.rstrip('/')}/whatsapp-orgs-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.backup"
    return place


@contextmanager
def writing(place: str) -> Iterator[BinaryIO]:
    """Open a place for a new backup, which is there when the block has ended, or not at all.

    Raises BackupError.
    """
    if place == PIPE:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif s3.is_address(place):
        with s3.writing(place) as stream:
            yield stream
    else:
        with _writing_file(Path(place)) as file:
            yield file


@contextmanager
def _writing_file(path: Path) -> Iterator[BinaryIO]:
    """Write beside the file, for this user only, and rename that at the end."""
    if path.exists():
        raise BackupError(f"{path} exists already")
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def local_copy(place: str, folder: Path) -> Path:
    """Return a backup's file, to be read twice: itself, or a copy in a folder.

    Raises BackupError.
    """
    copy = folder / "backup"
    if place == PIPE:
        if sys.stdin.isatty():
            raise BackupError("- is standard input, and nothing is piped into it")
        with open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        return copy
    if s3.is_address(place):
        s3.download(place, copy)
        return copy
    path = Path(place)
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    return path


def _names(folder: Path) -> list[str]:
    """Return the names of a folder's files, after the removal of those of killed backups."""
    names = [path.name for path in folder.iterdir() if path.is_file()]
    for name in filter(LEFT.fullmatch, names):
        if time.time() - (folder / name).stat().st_mtime > LEFT_SECONDS:
            (folder / name).unlink()
    return names


def remove_old(place: str, keep: int) -> list[str]:
    """Remove all but the newest backups beside a new one. Return the names of the removed ones.

    Only files whose names were given by `with_name` are looked at. Raises BackupError.
    """
    folder = place.rpartition("/")[0]
    names = s3.names(f"{folder}/") if s3.is_address(place) else _names(Path(folder or "."))
    old = sorted(name for name in names if NAMES.fullmatch(name))[:-keep]
    for name in old:
        if s3.is_address(place):
            s3.remove(f"{folder}/{name}")
        else:
            with suppress(FileNotFoundError):
                (Path(folder or ".") / name).unlink()
    return old
