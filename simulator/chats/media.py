"""Encrypted media: files in the state directory, and their encryption."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from simulator.certificates import MEDIA_HOST
from simulator.files import private_directory
from simulator.signal.primitives import Unreadable, decrypt_cbc, derive, digest, encrypt_cbc

MAX_BYTES = 128 << 20
_MAC_SIZE = 10
_PATH = re.compile(r"/v/t62/([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What a message says about its media: where it is, its key, its hashes and its size."""

    path: str
    key: bytes
    sha256: bytes
    encrypted_sha256: bytes
    size: int

    @property
    def url(self) -> str:
        """Return the address on the media host."""
        return f"https://{MEDIA_HOST}{self.path}"


class MediaStore:
    """The media that were uploaded; they stay until a reset."""

    def __init__(self, directory: Path) -> None:
        self._directory = private_directory(directory)

    def add(self, data: bytes) -> str:
        """Store encrypted media and return their path on the host; it already has a query."""
        name = os.urandom(16).hex()
        file = self._directory / name
        file.touch(0o600)
        file.write_bytes(data)
        return f"/v/t62/{name}?ccb=1"

    def get(self, path: str) -> bytes | None:
        """Return the media of a path, with or without its query, or None."""
        match = _PATH.fullmatch(path.partition("?")[0])
        file = self._directory / match[1] if match else None
        return file.read_bytes() if file and file.exists() else None

    def upload(self, kind: str, data: bytes) -> Uploaded:
        """Encrypt and store media, as a phone does. `kind`: Image, Video, Audio or Document."""
        key = os.urandom(32)
        start, cipher, mac_key = _keys(key, kind)
        encrypted = encrypt_cbc(cipher, start, data)
        encrypted += digest(mac_key, start + encrypted)[:_MAC_SIZE]
        hashes = hashlib.sha256(data).digest(), hashlib.sha256(encrypted).digest()
        return Uploaded(self.add(encrypted), key, *hashes, len(data))

    def download(self, kind: str, path: str, key: bytes) -> bytes:
        """Return decrypted media, as a phone does. Raises Unreadable."""
        data = self.get(path)
        if data is None:
            raise Unreadable("the media are not there")
        start, cipher, mac_key = _keys(key, kind)
        encrypted, mac = data[:-_MAC_SIZE], data[-_MAC_SIZE:]
        if digest(mac_key, start + encrypted)[:_MAC_SIZE] != mac:
            raise Unreadable("the media's MAC is wrong")
        try:
            return decrypt_cbc(cipher, start, encrypted)
        except ValueError as error:
            raise Unreadable("the media's padding is wrong") from error

    def clear(self) -> None:
        """Delete all media."""
        for file in self._directory.iterdir():
            file.unlink()


def token_of(data: bytes) -> str:
    """Return the token under which encrypted media are uploaded."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()


def _keys(key: bytes, kind: str) -> tuple[bytes, bytes, bytes]:
    material = derive(key, f"WhatsApp {kind} Keys".encode(), 112)
    return material[:16], material[16:48], material[48:80]
