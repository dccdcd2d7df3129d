"""QR codes as pictures, drawn by the packages `qrcode` and Pillow.

The text of a code is a secret while it is valid: log neither the text nor the picture.
"""

from __future__ import annotations

import base64
import io
from bisect import bisect_left
from functools import lru_cache
from threading import Lock
from typing import Any

from PIL import Image
from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_L
from qrcode.image.styles.moduledrawers.svg import SvgPathSquareDrawer
from qrcode.image.svg import SvgPathFillImage
from qrcode.util import BIT_LIMIT_TABLE, QRData

BORDER = 4  # The quiet zone that the standard asks for, in modules.
PIXELS = 8  # The side of a module in the PNG picture.
MILLIMETERS = 0.8  # The side of a module in the SVG picture, where a page sets no other size.
# The standard allows any mask; trying all eight takes long (docs/performance.md).
MASK = 2
HEADER_BITS = 4 + 16  # The mode and the length, which takes 8 bits in small codes.
# Each SVG picture registers its namespace in one table of Python's, which fails in two threads.
_svg_lock = Lock()


class UnitSquareDrawer(SvgPathSquareDrawer):
    """Draws each module as a square of one unit, without Decimal (docs/performance.md)."""

    def subpath(self, box: Any) -> str:
        (left, top), _ = box
        return f"M{left},{top}h1v1h-1z"


@lru_cache(maxsize=128)
def png(text: str) -> bytes:
    """Return the code as a PNG picture in black and white, one bit a pixel."""
    modules = _encode(text).get_matrix()
    side = len(modules)
    picture = Image.new("1", (side, side))
    picture.putdata([not dark for row in modules for dark in row])
    # Enlarging the picture is faster than drawing squares into a large one (docs/performance.md).
    large = picture.resize((side * PIXELS, side * PIXELS), Image.Resampling.NEAREST)
    file = io.BytesIO()
    large.save(file, format="PNG", compress_level=1)
    return file.getvalue()


@lru_cache(maxsize=128)
def svg(text: str) -> bytes:
    """Return the code as an SVG picture, which stays crisp at every size.

    It has a white ground, so that it can be read on a dark page.
    """
    code = _encode(text)
    side = code.modules_count + 2 * BORDER
    drawer = UnitSquareDrawer()
    with _svg_lock:
        picture = code.make_image(
            SvgPathFillImage,
            module_drawer=drawer,
            eye_drawer=drawer,
            viewBox=f"0 0 {side} {side}",
        )
    size = f"{side * MILLIMETERS:g}mm"
    picture.get_image().attrib.update(width=size, height=size)
    return bytes(picture.to_string(encoding="UTF-8", xml_declaration=True))


def modules(text: str) -> list[list[bool]]:
    """Return the rows of the code's modules, True for dark ones, without a quiet zone."""
    return [[bool(dark) for dark in row] for row in _encode(text).modules]


def _encode(text: str) -> QRCode[Any]:
    """Return the code with its modules. Raises ValueError if the text is too long."""
    data = QRData(text)
    # By its length; the package would write all bits to find it (docs/performance.md).
    version = bisect_left(BIT_LIMIT_TABLE[ERROR_CORRECT_L], HEADER_BITS + 8 * len(data))
    code: QRCode[Any] = QRCode(
        version, error_correction=ERROR_CORRECT_L, box_size=1, border=BORDER, mask_pattern=MASK
    )
    code.add_data(data)
    code.make(fit=False)
    return code


def png_url(text: str) -> str:
    """Return the PNG picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png(text)).decode()


def svg_url(text: str) -> str:
    """Return the SVG picture as a data URL."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(text)).decode()
