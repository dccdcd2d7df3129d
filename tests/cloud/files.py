"""Small files of each type that messages carry."""

from __future__ import annotations

import io

from PIL import Image


def picture(kind: str) -> bytes:
    """Return a picture of a format, such as PNG."""
    file = io.BytesIO()
    Image.new("RGB", (20, 20), "teal").save(file, kind)
    return file.getvalue()


PNG, WEBP = picture("PNG"), picture("WEBP")
# The first box of a film, and the first page of a sound, which say what the file is.
MP4 = bytes.fromhex("00000018667479706d703432000000006d70343269736f6d") + b"\0\0\0\x08mdat"
OGG = b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1\1" + bytes(9)
PDF = b"%PDF-1.4\n%%EOF\n"
