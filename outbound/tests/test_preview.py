"""Previews of links: what is shown, and what strangers' pages cannot do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pytest_django import Settings

from outbound import preview
from outbound.preview import NoPreview, Preview, Previews, clean
from outbound.tests.servers import Handler, Server, http, serving

HTML = "Content-Type: text/html; charset=utf-8"


@pytest.fixture(autouse=True)
def loopback(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE, settings.WEBHOOKS_ALLOWED_HOSTS = True, ["127.0.0.1"]
    # What takes long here is a busy machine; the tests of the deadline set their own.
    monkeypatch.setattr(preview, "SECONDS", 60.0)


def page(*metas: str, title: str = "") -> bytes:
    head = "".join(f"<meta {meta}>" for meta in metas)
    return f"<!doctype html><html><head>{title}{head}</head><body>Hi</body></html>".encode()


def picture(kind: str = "PNG", size: tuple[int, int] = (400, 200), mode: str = "RGB") -> bytes:
    found = BytesIO()
    Image.new(mode, size, "red").save(found, kind)
    return found.getvalue()


@asynccontextmanager
async def site(**files: bytes) -> AsyncIterator[Server]:
    """Serve answers by the name in the path: `/name`."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = server.requests[-1].split(b" ")[1].decode().strip("/")
        writer.write(files.get(name, http(b"", "404 Not Found")))
        await writer.drain()

    async with serving(answer) as server:
        yield server


async def fetch(html: bytes, **files: bytes) -> Preview:
    async with site(page=http(html, "200 OK", HTML), **files) as server:
        return await Previews().fetch(f"{server.url}page")


async def failure(answer: bytes | Handler) -> str:
    async with serving(answer) as server:
        with pytest.raises(NoPreview) as failed:
            await Previews().fetch(server.url)
    return str(failed.value)


async def test_page_is_shown_with_title_description_and_picture() -> None:
    html = page(
        'property="og:title" content="Café &amp; Pão"',
        'name="description" content="Not this one"',
        'property="og:description" content="Aberto  todo\n dia"',
        'property="og:image" content="/a.png"',
        title="<title>Home</title>",
    )
    found = await fetch(html, **{"a.png": http(picture())})
    assert (found.title, found.description) == ("Café & Pão", "Aberto todo dia")
    with Image.open(BytesIO(found.thumbnail)) as small:
        assert (small.format, small.size) == ("JPEG", (160, 80))


async def test_page_without_such_tags_is_shown_by_its_title() -> None:
    found = await fetch(page('name="description" content="A shop"', title="<title> Home </title>"))
    assert found == Preview("Home", "A shop", b"")


@pytest.mark.parametrize(
    ("content_type", "html"),
    [
        ("text/html; charset=iso-8859-1", "<title>Café</title>".encode("latin-1")),
        ("text/html", b'<meta charset="windows-1252"><title>Caf\xe9</title>'),
        ("text/html; charset=unheard-of", "<title>Café</title>".encode()),
        ("", "<title>Café</title>".encode()),
    ],
)
async def test_title_is_read_in_the_charset_of_its_page(content_type: str, html: bytes) -> None:
    headers = [f"Content-Type: {content_type}"] if content_type else []
    async with serving(http(html, "200 OK", *headers)) as server:
        assert (await Previews().fetch(server.url)).title == "Café"


async def test_beginning_of_a_large_page_is_enough() -> None:
    html = page(title="<title>Home</title>") + b"x" * 1_000_000
    assert (await fetch(html)).title == "Home"
    late = b"x" * 70_000 + page(title="<title>Home</title>")
    assert await failure(http(late, "200 OK", HTML)) == "no title"


async def test_redirect_is_followed_and_the_picture_is_beside_the_last_page() -> None:
    html = page('property="og:image" content="a.png"', title="<title>Home</title>")
    files = {"b/page": http(html, "200 OK", HTML), "b/a.png": http(picture())}
    async with site(first=http(b"", "302 Found", "Location: /b/page"), **files) as server:
        assert (await Previews().fetch(f"{server.url}first")).thumbnail


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http(b"gone", "404 Not Found", HTML), "unusable"),
        (http(b"<title></title>", "200 OK", HTML), "no title"),
        (http(b"<title>\xe2\x80\xae\xe3\x85\xa4</title>", "200 OK", HTML), "no title"),
        (http(b"%PDF-", "200 OK", "Content-Type: application/pdf"), "no page"),
        (http(b"", "302 Found", "Location: http://10.0.0.1/"), "refused"),
        (http(b"", "302 Found", "Location: http://[x/"), "refused"),
    ],
)
async def test_page_that_says_nothing_has_no_preview(answer: bytes, why: str) -> None:
    assert await failure(answer) == why


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://localhost/", "https://[::1]/"])
async def test_private_address_has_no_preview(url: str) -> None:
    with pytest.raises(NoPreview, match="refused"):
        await Previews().fetch(url)


async def test_slow_page_has_no_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "SECONDS", 0.3)

    async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()  # Until the other side gives up.

    assert await failure(never) == "timed_out"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("bytearray(2**30)", "MemoryError"),
        ("open('x', 'wb', 0).write(b'x' * 10)", "File too large"),
        ("resource.setrlimit(resource.RLIMIT_CPU, (60, 60))", "not allowed to raise"),
        ("print(resource.getrlimit(resource.RLIMIT_CPU))", "(3, 3)"),
    ],
)
def test_process_that_reads_pages_has_limits(tmp_path: Path, code: str, error: str) -> None:
    """Pages can be made so that the parser's time grows with the square of their size."""
    script = f"import runpy, resource; runpy.run_path({str(preview.SCRIPT)!r})['limit'](); {code}"
    command = [sys.executable, "-I", "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert error in ended.stdout + ended.stderr


def huge(edge: int) -> bytes:
    found = BytesIO()
    Image.new("1", (edge, edge)).save(found, "PNG")
    return found.getvalue()


# Functions, because every process of `make test` imports this module.
BAD_PICTURES: dict[str, Callable[[], bytes]] = {
    "text": lambda: b"no picture",
    "gif": lambda: picture("GIF"),
    "tiff": lambda: picture("TIFF"),
    "cut off": lambda: picture()[:-30],
    "25 MP": lambda: huge(5000),
    "900 MP": lambda: huge(30_000),
    "too many bytes": lambda: picture() + bytes(600_000),
}


@pytest.mark.parametrize("kind", BAD_PICTURES)
async def test_picture_that_cannot_be_shown_is_left_out(kind: str) -> None:
    html = page('property="og:image" content="a.png"', title="<title>Home</title>")
    answer = http(BAD_PICTURES[kind]())
    assert await fetch(html, **{"a.png": answer}) == Preview("Home", "", b"")


@pytest.mark.parametrize("where", ["http://10.0.0.1/a.png", "http://[x", "file:///etc/passwd", "x"])
async def test_picture_that_cannot_be_fetched_is_left_out(where: str) -> None:
    html = page(f'property="og:image" content="{where}"', title="<title>Home</title>")
    assert await fetch(html) == Preview("Home", "", b"")


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("WEBP", "RGBA"), ("PNG", "P")]
)
async def test_picture_of_each_kind_is_shown(kind: str, mode: str) -> None:
    html = page('property="og:image" content="a"', title="<title>Home</title>")
    assert (await fetch(html, a=http(picture(kind, mode=mode)))).thumbnail


async def test_thumbnail_is_small_whatever_the_picture_is() -> None:
    noise = BytesIO()
    Image.frombytes("RGB", (300, 300), os.urandom(270_000)).save(noise, "PNG")
    html = page('property="og:image" content="a"', title="<title>Home</title>")
    thumbnail = (await fetch(html, a=http(noise.getvalue()))).thumbnail
    assert 0 < len(thumbnail) <= preview.THUMBNAIL_BYTES


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  two \n lines\t\u2028", "two lines"),
        ("a\u202eb\u2066c\u200bd\x00e\x1b[0m", "abcde[0m"),
        ("\u3164\u2800", ""),
        ("👩\u200d🍳", "👩\u200d🍳"),
        ("x" * 20, "x" * 9 + "…"),
        ("half \ud800", "half"),
    ],
)
def test_text_is_one_line_of_visible_characters(text: str, cleaned: str) -> None:
    assert clean(text, 10) == cleaned
