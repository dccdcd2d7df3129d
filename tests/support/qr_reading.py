"""Reading a QR code off a picture, as a phone does."""

import base64
import io

import zxingcpp
from PIL import Image


def read(picture: bytes) -> str:
    """What the QR code on a PNG picture says."""
    # Else the reader sees barcodes of other kinds in the noise of a QR code, now and then.
    only_qr = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    found = zxingcpp.read_barcode(Image.open(io.BytesIO(picture)), formats=only_qr)
    assert found is not None, "the picture holds no QR code"
    return str(found.text)


def read_url(url: str) -> str:
    """What the QR code on a picture in a data URL says."""
    return read(base64.b64decode(url.partition(",")[2]))
