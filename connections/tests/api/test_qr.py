"""The pictures of a code: a phone can read them on any page, and they say what WhatsApp said."""

import base64
import io
import random
import re
import string
from collections.abc import Callable
from threading import Thread
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageDraw

from connections import qr
from connections.tests.support.fake_worker import CODE
from tests.support.qr_reading import read

SVG = "{http://www.w3.org/2000/svg}"
BASE64 = string.ascii_letters + string.digits + "+/"


def real_code(seed: int) -> str:
    """Return a code like WhatsApp's: a reference of 60 or more characters and three keys of 44."""
    dice = random.Random(seed)
    parts = ["".join(dice.choices(BASE64, k=60 + seed % 30))]
    parts += ["".join(dice.choices(BASE64, k=43)) + "=" for _ in range(3)]
    return "https://wa.me/settings/linked_devices#2@" + ",".join(parts)


LONG = real_code(0)
TEXTS = pytest.mark.parametrize("code", [CODE, LONG, "ção ✓ " * 4], ids=["short", "long", "utf-8"])


def side_of(root: ElementTree.Element) -> int:
    """Return the side of an SVG picture in modules."""
    left, top, width, height = map(int, root.attrib["viewBox"].split())
    assert (left, top, width) == (0, 0, height)
    return width


def modules_of(root: ElementTree.Element) -> list[tuple[int, int]]:
    """Return column and row of each dark module of an SVG picture."""
    path = root[1].attrib["d"]
    assert re.fullmatch(r"(M\d+,\d+h1v1h-1z)+", path)
    return [(int(x), int(y)) for x, y in re.findall(r"M(\d+),(\d+)", path)]


def drawn(svg: bytes) -> Image.Image:
    """Return the SVG picture as pixels, on a black page."""
    root = ElementTree.fromstring(svg)
    picture = Image.new("1", (side_of(root) * 8,) * 2, 0)
    draw = ImageDraw.Draw(picture)
    if root[0].attrib["fill"] == "white":
        draw.rectangle((0, 0, *picture.size), fill=1)
    for x, y in modules_of(root):
        draw.rectangle((x * 8, y * 8, x * 8 + 7, y * 8 + 7), fill=0)
    return picture


def as_png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


@TEXTS
def test_png_is_read_as_the_code(code: str) -> None:
    head, _, data = qr.png_url(code).partition(",")
    assert head == "data:image/png;base64"
    assert read(base64.b64decode(data)) == code


@TEXTS
def test_svg_is_read_as_the_code(code: str) -> None:
    head, _, data = qr.svg_url(code).partition(",")
    assert head == "data:image/svg+xml;base64"
    assert read(as_png(drawn(base64.b64decode(data)))) == code


@pytest.mark.parametrize("seed", range(30))
def test_code_of_real_length_is_read_in_both_formats(seed: int) -> None:
    code = real_code(seed)
    png = qr.png(code)
    assert read(png) == code
    assert drawn(qr.svg(code)).tobytes() == Image.open(io.BytesIO(png)).tobytes()


@pytest.mark.parametrize(("length", "version"), [(229, 9), (231, 10), (271, 10), (272, 11)])
def test_code_takes_the_smallest_version_that_fits(length: int, version: int) -> None:
    text = "x" * (length - 24) + "1" * 24
    assert read(qr.png(text)) == text
    assert side_of(ElementTree.fromstring(qr.svg(text))) == 17 + 4 * version + 2 * 4


def test_svg_has_no_script_and_not_the_text_of_the_code() -> None:
    picture = qr.svg(CODE).decode()
    tags = [element.tag for element in ElementTree.fromstring(picture).iter()]
    assert tags == [SVG + "svg", SVG + "rect", SVG + "path"]
    assert CODE not in picture


@pytest.mark.parametrize("code", [CODE, LONG])
def test_svg_has_a_white_ground_and_a_quiet_zone_of_four_modules(code: str) -> None:
    root = ElementTree.fromstring(qr.svg(code))
    ground, path = root
    side = side_of(root)
    wanted = {"fill": "white", "x": "0", "y": "0", "width": "100%", "height": "100%"}
    assert ground.attrib == wanted
    assert path.attrib["fill"] == "#000000"
    for numbers in zip(*modules_of(root), strict=True):
        assert (min(numbers), max(numbers)) == (4, side - 5)


def test_svg_is_eight_tenths_of_a_millimeter_a_module() -> None:
    root = ElementTree.fromstring(qr.svg(LONG))
    assert side_of(root) == 17 + 4 * 10 + 2 * 4
    assert (root.attrib["width"], root.attrib["height"]) == ("52mm", "52mm")


def test_png_is_one_bit_a_pixel_with_a_quiet_zone_of_four_modules() -> None:
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


def test_same_code_is_drawn_once() -> None:
    assert qr.png(CODE) is qr.png(CODE)
    assert qr.svg(CODE) is qr.svg(CODE)
    assert qr.png(CODE) != qr.png(LONG)


@pytest.mark.parametrize("draw", [qr.png, qr.svg])
def test_text_that_is_too_long_is_refused(draw: Callable[[str], bytes]) -> None:
    assert draw("x" * 2953)
    with pytest.raises(ValueError, match="version"):
        draw("x" * 2954)


def test_two_threads_do_not_register_the_namespace_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two such calls at once can end in a KeyError."""
    register = ElementTree.register_namespace
    other = Thread(target=qr.svg, args=["of another thread"])
    entered: list[bool] = []
    met: list[bool] = []

    def notice(prefix: str, uri: str) -> None:
        entered.append(True)
        if len(entered) == 1:
            other.start()
            other.join(0.5)  # It cannot end while this thread draws.
            met.append(len(entered) > 1)
        register(prefix, uri)

    monkeypatch.setattr(ElementTree, "register_namespace", notice)
    assert qr.svg("of this thread")
    other.join(10)
    assert (met, len(entered)) == ([False], 2)
