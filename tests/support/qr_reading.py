"""Read QR codes from pictures."""

import base64
import io

import zxingcpp
from PIL import Image


def read(picture: bytes) -> str:
    """Return the text of the QR code in a PNG."""
    # Without this the reader sometimes finds other barcodes in a QR code.
    only_qr = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    found = zxingcpp.read_barcode(Image.open(io.BytesIO(picture)), formats=only_qr)
    assert found is not None, "the picture holds no QR code"
    return str(found.text)


def read_url(url: str) -> str:
    """Return the text of the QR code in a data URL."""
    return read(base64.b64decode(url.partition(",")[2]))
