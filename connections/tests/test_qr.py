"""The pictures say what WhatsApp said, and a phone can read them."""

import base64
import io
import re

import pytest
from PIL import Image, ImageDraw

from connections import qr
from connections.qr_matrix import matrix
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
    drawn = Image.new("1", (int(side) * 8,) * 2, 0)
    (width, height) = re.findall(r'<rect width="(\d+)" height="(\d+)" fill="#fff"/>', picture)[0]
    ground = (0, 0, int(width) * 8 - 1, int(height) * 8 - 1)
    ImageDraw.Draw(drawn).rectangle(ground, fill=1)
    for numbers in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", picture):
        left, top, width = (int(number) * 8 for number in numbers)
        ImageDraw.Draw(drawn).rectangle((left, top, left + width - 1, top + 7), fill=0)
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG")
    assert read(buffer.getvalue()) == code
    assert drawn.tobytes() == Image.open(io.BytesIO(qr.png(code))).tobytes()


@pytest.mark.parametrize("code", [CODE, LONG])
def test_svg_has_a_white_ground_and_a_quiet_zone_of_four_modules(code: str) -> None:
    picture = qr.svg(code).decode()
    side = len(matrix(code)) + 2 * 4
    assert f'viewBox="0 0 {side} {side}"' in picture
    assert picture.count("<rect") == 1
    assert f'><rect width="{side}" height="{side}" fill="#fff"/><path ' in picture
    rows = [(int(x), int(y), int(w)) for x, y, w in re.findall(r"M(\d+) (\d+)h(\d+)v1", picture)]
    assert (min(x for x, _, _ in rows), max(x + w for x, _, w in rows)) == (4, side - 4)
    assert (min(y for _, y, _ in rows), max(y for _, y, _ in rows)) == (4, side - 5)


def test_the_png_is_one_bit_a_pixel_with_room_around_it() -> None:
    picture = Image.open(io.BytesIO(qr.png(LONG)))
    picture.load()
    assert (picture.format, picture.mode) == ("PNG", "1")
    assert picture.size[0] == picture.size[1] == 8 * (17 + 4 * 10 + 2 * 4)
    side = picture.size[0]
    edges = [
        (0, 0, side, 32),
        (0, 0, 32, side),
        (0, side - 32, side, side),
        (side - 32, 0, side, side),
    ]
    assert [picture.crop(edge).getextrema() for edge in edges] == [(255, 255)] * 4
    assert "transparency" not in picture.info


def test_the_same_code_is_drawn_once() -> None:
    assert qr.png(CODE) is qr.png(CODE)
    assert qr.svg(CODE) is qr.svg(CODE)
    assert qr.png(CODE) != qr.png(LONG)
