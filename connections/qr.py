"""QR codes as pictures. What the code says is a secret while it is valid."""

import base64
import io
from functools import lru_cache
from typing import Any

import qrcode
from qrcode.constants import ERROR_CORRECT_L
from qrcode.image.pil import PilImage
from qrcode.image.svg import SvgPathImage


def _code(text: str) -> "qrcode.QRCode[Any]":
    # A fixed mask: trying all eight takes most of the time and helps no phone.
    code: qrcode.QRCode[Any] = qrcode.QRCode(
        error_correction=ERROR_CORRECT_L, box_size=8, border=4, mask_pattern=2
    )
    code.add_data(text)
    code.make(fit=True)
    return code


@lru_cache(maxsize=128)
def png(text: str) -> bytes:
    """The code as a PNG picture, eight pixels a module."""
    buffer = io.BytesIO()
    _code(text).make_image(image_factory=PilImage).save(buffer, format="PNG")
    return buffer.getvalue()


@lru_cache(maxsize=128)
def svg(text: str) -> bytes:
    """The code as an SVG picture, which stays crisp at every size."""
    buffer = io.BytesIO()
    _code(text).make_image(image_factory=SvgPathImage).save(buffer)
    return buffer.getvalue()


def png_url(text: str) -> str:
    """The PNG picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png(text)).decode()


def svg_url(text: str) -> str:
    """The SVG picture as a data URL."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(text)).decode()
