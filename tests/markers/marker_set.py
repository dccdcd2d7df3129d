"""The markers of a run, with their encodings."""

from __future__ import annotations

import base64
import secrets

from tests.markers.output_search import Forms


class Markers(dict[str, Forms]):
    """Maps each kind of marker to its encodings."""

    def new(self, kind: str, size: int = 12) -> str:
        """Add a unique marker. Returns its text of 2 + 2 × `size` characters."""
        text = f"mk{secrets.token_hex(size)}"
        self[kind] = (text.encode(),)
        return text

    def add(self, kind: str, *texts: str) -> None:
        """Add a secret that the product has created."""
        assert all(texts), kind
        self[kind] = tuple(text.encode() for text in texts)

    def add_key(self, kind: str, key: bytes) -> None:
        """Add a key: raw, in hexadecimal and in base64."""
        assert len(key) >= 32, kind
        self[kind] = (
            key,
            key.hex().encode(),
            base64.b64encode(key),
            base64.urlsafe_b64encode(key),
        )

    def text(self, kind: str) -> str:
        return self[kind][0].decode()
