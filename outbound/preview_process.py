"""Reads what strangers have made, a page or a picture, in a process with limits.

`python -I preview_process.py page CHARSET` writes the page's title, description and picture as
JSON; `… picture` writes a small JPEG. Both read standard input. The process ends with an error when
there is nothing to write. It is run by its path, with nothing of the project.
"""

from __future__ import annotations

import io
import json
import resource
import sys

CPU_SECONDS = 3
MEMORY_BYTES = 512 * 1024 * 1024
MAX_PIXELS = 16_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
# WhatsApp shows it next to the title; it is part of the message.
EDGE, QUALITY = 160, 60
BACKGROUND = (255, 255, 255)
MAX_VALUE = 4096

TITLES = ("og:title", "twitter:title")
DESCRIPTIONS = ("og:description", "twitter:description", "description")
PICTURES = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image")


def limit() -> None:
    """Limit this process: its time, its memory, and that it writes no file."""
    for what, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def read_page(content: bytes, charset: str) -> bytes:
    """Return what a page says about itself, as JSON. `charset`: what its server says, or ""."""
    from bs4 import BeautifulSoup
    from bs4.dammit import EncodingDetector
    from bs4.filter import SoupStrainer

    found = charset or EncodingDetector.find_declared_encoding(content, is_html=True) or "utf-8"
    try:
        text = content.decode(found, "replace")
    except (LookupError, UnicodeError):
        text = content.decode("utf-8", "replace")
    page = BeautifulSoup(text, "html.parser", parse_only=SoupStrainer(["title", "meta"]))
    values: dict[str, str] = {}
    for tag in page.find_all("meta"):
        name = str(tag.get("property") or tag.get("name") or "").strip().lower()
        values.setdefault(name, str(tag.get("content") or "").strip())
    if page.title is not None:
        values["title"] = page.title.get_text().strip()
    return json.dumps(
        {
            "title": _first(values, (*TITLES, "title")),
            "description": _first(values, DESCRIPTIONS),
            "picture": _first(values, PICTURES),
        }
    ).encode()


def _first(values: dict[str, str], names: tuple[str, ...]) -> str:
    return next((values[name][:MAX_VALUE] for name in names if values.get(name)), "")


def shrink_picture(content: bytes) -> bytes:
    """Return a picture as a small JPEG. Raises ValueError and Pillow's errors."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with Image.open(io.BytesIO(content), formats=FORMATS) as checked:
        # Pillow itself refuses twice as many.
        if checked.width * checked.height > MAX_PIXELS:
            raise ValueError("too many pixels")
        checked.verify()
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        picture.draft("RGB", (2 * EDGE, 2 * EDGE))
        picture.thumbnail((EDGE, EDGE))
        solid = Image.new("RGB", picture.size, BACKGROUND)
        shown = picture.convert("RGBA")
        solid.paste(shown, mask=shown)
    small = io.BytesIO()
    solid.save(small, "JPEG", quality=QUALITY)
    return small.getvalue()


def main(kind: str, charset: str = "") -> None:
    limit()
    content = sys.stdin.buffer.read()
    found = read_page(content, charset) if kind == "page" else shrink_picture(content)
    sys.stdout.buffer.write(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
