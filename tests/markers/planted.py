"""What is planted: for each kind the forms in which its marker could stand somewhere."""

from __future__ import annotations

import base64
import secrets

from tests.markers.evidence import Forms


class Markers(dict[str, Forms]):
    """The forms in which each kind of marker could stand somewhere."""

    def new(self, kind: str, size: int = 12) -> str:
        """Plant a marker that nothing else looks like. Returns its text, of 2 + 2 × `size`."""
        text = f"mk{secrets.token_hex(size)}"
        self[kind] = (text.encode(),)
        return text

    def known(self, kind: str, *texts: str) -> None:
        """Remember a secret that the product itself has made."""
        assert all(texts), kind
        self[kind] = tuple(text.encode() for text in texts)

    def key(self, kind: str, key: bytes) -> None:
        """Remember a key: as it is, in hexadecimal and in base64."""
        assert len(key) >= 32, kind
        self[kind] = (key, key.hex().encode(), base64.b64encode(key), base64.urlsafe_b64encode(key))

    def text(self, kind: str) -> str:
        return self[kind][0].decode()
