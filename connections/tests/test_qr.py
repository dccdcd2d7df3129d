"""The pictures say what WhatsApp said, and a phone can read them."""

import base64
import io
import re

import pytest
from PIL import Image, ImageDraw

from connections import qr
from connections.tests.hand import CODE
from tests.qr_reading import read

# As long as the real ones are: a reference of 60 characters and three keys of 44.
LONG = "https://wa.me/settings/linked_devices#2@" + ",".join(["Ab1/+" * 12, *["k" * 43 + "="] * 3])


@pytest.mark.parametrize("code", [CODE, LONG])
def test_the_png_says_the_code(code: str) -> None:
    head, _, data = qr.png_url(code).partition(",")
    assert head == "data:image/png;base64"
    assert read(base64.b64decode(data)) == code


def test_the_svg_is_a_picture_without_script() -> None:
    head, _, data = qr.svg_url(CODE).partition(",")
    assert head == "data:image/svg+xml;base64"
    picture = base64.b64decode(data).decode()
    assert "<svg" in picture and "<path" in picture
    assert "<script" not in picture
    assert CODE not in picture


@pytest.mark.parametrize("code", [CODE, LONG])
def test_the_svg_says_the_code(code: str) -> None:
    """Drawn here rectangle by rectangle, as a browser does it."""
    picture = qr.svg(code).decode()
    (side,) = re.findall(r'viewBox="0 0 (\d+) \1"', picture)
    drawn = Image.new("1", (int(side) * 8,) * 2, 1)
    for numbers in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", picture):
        left, top, width = (int(number) * 8 for number in numbers)
        ImageDraw.Draw(drawn).rectangle((left, top, left + width - 1, top + 7), fill=0)
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG")
    assert read(buffer.getvalue()) == code
    assert drawn.tobytes() == Image.open(io.BytesIO(qr.png(code))).tobytes()


def test_the_png_is_one_bit_a_pixel_with_room_around_it() -> None:
    picture = Image.open(io.BytesIO(qr.png(LONG)))
    picture.load()
    assert (picture.format, picture.mode) == ("PNG", "1")
    assert picture.size[0] == picture.size[1] == 8 * (17 + 4 * 10 + 2 * 4)
    assert picture.crop((0, 0, picture.size[0], 32)).getextrema() == (255, 255)


def test_the_same_code_is_drawn_once() -> None:
    assert qr.png(CODE) is qr.png(CODE)
    assert qr.svg(CODE) is qr.svg(CODE)
    assert qr.png(CODE) != qr.png(LONG)
