"""QR codes as pictures. What the code says is a secret while it is valid.

Drawn here rather than by Pillow: that costs more time than the code itself, and 4 MiB.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from functools import lru_cache

from connections.qr_matrix import matrix

# The quiet zone that readers need, in modules. One module is eight pixels: in a picture of one bit
# a pixel, exactly one byte.
BORDER = 4
LIGHT = b"\xff"
MODULES = bytes.maketrans(b"01", LIGHT + b"\x00")
PIXELS = 8
SAME_AS_ABOVE = b"\x02"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@lru_cache(maxsize=128)
def png(text: str) -> bytes:
    """The code as a PNG picture in black and white, eight pixels a module."""
    rows = matrix(text)
    side = len(rows) + 2 * BORDER
    margin = LIGHT * BORDER
    repeated = (SAME_AS_ABOVE + bytes(side)) * (PIXELS - 1)
    blank = (b"\x00" + LIGHT * side + repeated) * BORDER
    drawn = [b"\x00" + margin + row.encode().translate(MODULES) + margin + repeated for row in rows]
    pixels = side * PIXELS
    header = struct.pack(">IIBBBBB", pixels, pixels, 1, 0, 0, 0, 0)
    data = zlib.compress(blank + b"".join(drawn) + blank)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


@lru_cache(maxsize=128)
def svg(text: str) -> bytes:
    """Return the code as an SVG picture, which stays crisp at every size.

    It has a white ground: on a dark page, the light modules would be as dark as the others.
    """
    rows = matrix(text)
    side = len(rows) + 2 * BORDER
    path = "".join(
        f"M{run.start() + BORDER} {number + BORDER}h{len(run[0])}v1h-{len(run[0])}z"
        for number, row in enumerate(rows)
        for run in re.finditer("1+", row)
    )
    size = f"{side * 0.8:g}mm"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" '
        f'viewBox="0 0 {side} {side}"><rect width="{side}" height="{side}" fill="#fff"/>'
        f'<path d="{path}" fill="#000"/></svg>'
    ).encode()


def png_url(text: str) -> str:
    """The PNG picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png(text)).decode()


def svg_url(text: str) -> str:
    """The SVG picture as a data URL."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(text)).decode()
