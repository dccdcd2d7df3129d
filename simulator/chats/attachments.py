"""The media of messages: stored when a person sends them, and checked when one receives them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging

from simulator.signal.primitives import Unreadable

from .content import MEDIA, BadContent, Content
from .media import MAX_BYTES, MediaStore, Uploaded

log = logging.getLogger(__name__)


class Attachments:
    """Uploads and downloads media as a phone does."""

    def __init__(self, store: MediaStore) -> None:
        self._store = store

    def upload(self, message: Content) -> tuple[Content, Uploaded | None]:
        """Store the media of a message, and return the message with their size and hash.

        The media are `data` in base64, or `size` zero bytes. Raises BadContent.
        """
        kind = str(message.get("type"))
        part = message.get(kind)
        if kind not in MEDIA or not isinstance(part, dict):
            return message, None
        uploaded = self._store.upload(MEDIA[kind].keys, _bytes(kind, part))
        kept = {name: value for name, value in part.items() if name != "data"}
        kept |= {"size": uploaded.size, "sha256": uploaded.sha256.hex()}
        return message | {kind: kept}, uploaded

    def download(self, message: Content) -> bytes:
        """Return the decrypted media of a received message. Raises Unreadable."""
        part = message[message["type"]]
        keys = MEDIA[message["type"]].keys
        return self._store.download(keys, part["path"], bytes.fromhex(part["key"]))

    def check(self, message: Content) -> None:
        """Note in a message whether its media are there, and are what it says."""
        if message["type"] not in MEDIA:
            return
        part = message[message["type"]]
        try:
            part["intact"] = hashlib.sha256(self.download(message)).hexdigest() == part["sha256"]
        except Unreadable as error:
            log.warning("a phone cannot read media: %s", error)
            part["intact"] = False


def _bytes(kind: str, part: Content) -> bytes:
    data, size = part.get("data"), part.get("size")
    if isinstance(data, str):
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise BadContent("data is not base64") from error
    if isinstance(size, int) and 0 < size <= MAX_BYTES:
        return bytes(size)
    raise BadContent(f"{kind} needs data, or a size of at most {MAX_BYTES}")
