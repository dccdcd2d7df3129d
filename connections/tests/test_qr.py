"""The pictures say what WhatsApp said, and a phone can read them."""

import base64

import pytest

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


def test_the_same_code_is_drawn_once() -> None:
    assert qr.png(CODE) is qr.png(CODE)
    assert qr.svg(CODE) is qr.svg(CODE)
    assert qr.png(CODE) != qr.png(LONG)
