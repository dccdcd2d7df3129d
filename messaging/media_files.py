"""Stores files encrypted, under Django's storage API.

A stored file is a line for each chunk: its place, whether it is the last one, and its content,
encrypted together, so that a file that was cut or put together anew is not readable.
"""

from __future__ import annotations

import hashlib
import logging
import re
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.files import File
from django.core.files.storage import Storage, storages

from messaging.models import PUBLIC_ID_PATTERN, new_public_id
from messaging.refusals import StorageUnavailable
from organizations.encryption import Undecryptable, decrypt, encrypt, is_current

logger = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
# What the sniffing of a type needs.
HEAD_BYTES = 8 * 1024
HEADER = struct.Struct(">QB")


class TooLarge(Exception):
    """A file has more bytes than are allowed."""


@dataclass(frozen=True)
class StoredFile:
    """A file in the storage. `head`: its first bytes."""

    name: str
    size: int
    sha256: str
    head: bytes


def save(chunks: Iterable[bytes], limit: int) -> StoredFile:
    """Store a file, and return its name in the storage.

    Raises TooLarge while reading, and StorageUnavailable.
    """
    digest, size, head = hashlib.sha256(), 0, b""
    with tempfile.SpooledTemporaryFile(CHUNK_BYTES) as encrypted:
        pending, place = b"", 0
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooLarge
            digest.update(chunk)
            head = head or chunk[:HEAD_BYTES]
            pending += chunk
            while len(pending) > CHUNK_BYTES:
                with translated_failures():
                    encrypted.write(_line(place, False, pending[:CHUNK_BYTES]))
                pending, place = pending[CHUNK_BYTES:], place + 1
        with translated_failures():
            encrypted.write(_line(place, True, pending))
            encrypted.seek(0)
            name = storage().save(_new_name(), File(encrypted))
    return StoredFile(name, size, digest.hexdigest(), head)


def read(name: str) -> Iterator[bytes]:
    """Yield the content of a stored file.

    Raises FileNotFoundError, Undecryptable and StorageUnavailable.
    """
    with translated_failures(), storage().open(name) as file:
        last = False
        for expected, line in enumerate(file):
            plain = decrypt(line.decode("ascii").rstrip("\n"))
            place, last = HEADER.unpack_from(plain)
            if place != expected:
                raise Undecryptable("a stored file is damaged")
            yield plain[HEADER.size :]
        if not last:
            raise Undecryptable("a stored file is incomplete")


def reencrypt(name: str) -> str | None:
    """Store a file once more with the key for new files. Return its new name, None if it has it.

    The old one stays. Raises FileNotFoundError, Undecryptable and StorageUnavailable.
    """
    with translated_failures(), storage().open(name) as file:
        if is_current(file.readline().decode("ascii").rstrip("\n")):
            return None
        size = file.size
    return save(read(name), size).name


def delete(name: str) -> None:
    """Delete a stored file, if it is there. Raises StorageUnavailable."""
    with translated_failures():
        storage().delete(name)


def storage() -> Storage:
    """Return the storage of files."""
    return storages["media"]


@contextmanager
def translated_failures() -> Iterator[None]:
    """Raise StorageUnavailable for a storage that cannot be used: a bucket, or a full disk."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        # Takes a third of a second, so only here.
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        if not isinstance(error, OSError | Boto3Error | BotoCoreError | ClientError):
            raise
        logger.warning("the storage of files failed", exc_info=True)
        raise StorageUnavailable from error


def _line(place: int, last: bool, content: bytes) -> bytes:
    return encrypt(HEADER.pack(place, last) + content).encode() + b"\n"


def _new_name() -> str:
    """Return a new name in a folder of many, which says nothing."""
    name = new_public_id()
    return f"{name[:2]}/{name}"


def is_name(name: str) -> bool:
    """Return whether a name is one that a stored file gets."""
    folder, _, file = name.partition("/")
    return file[:2] == folder and re.fullmatch(PUBLIC_ID_PATTERN, file) is not None
