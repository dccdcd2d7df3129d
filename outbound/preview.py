"""Makes the preview of a link: what its page says about itself, and a small picture.

The page and its picture are strangers' input, so they are read in a process of their own
(preview_process.py), and what that returns is checked once more.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from outbound.client import Client, Downloaded, open_client
from outbound.errors import Kind, RequestFailed
from outbound.policy import webhook_policy

SECONDS = 5.0
PAGE_BYTES, PICTURE_BYTES = 64 * 1024, 500 * 1024
TITLE_LENGTH, DESCRIPTION_LENGTH = 200, 300
# What the process may answer: some texts, or a picture.
ANSWER_BYTES = 64 * 1024
THUMBNAIL_BYTES = 16 * 1024
# Slow sites hold their places; processes take memory.
FETCHES, PROCESSES = 16, 3

SCRIPT = Path(__file__).with_name("preview_process.py")
PAGES = ("text/html", "application/xhtml+xml")
CHARSET = re.compile(r"charset=[\"']?([\w.:-]{1,40})", re.IGNORECASE | re.ASCII)
# Control characters, changes of direction, halves of characters, and letters that are blank.
HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
JOINERS = frozenset("\u200c\u200d")


class NoPreview(Exception):
    """A link has nothing to show. The message says why, without the link."""


@dataclass(frozen=True)
class Preview:
    """What is shown of a link. `thumbnail`: a JPEG, or empty."""

    title: str
    description: str
    thumbnail: bytes


class Previews:
    """Fetches previews, so many at a time."""

    def __init__(self) -> None:
        self._fetches = asyncio.Semaphore(FETCHES)
        self._processes = asyncio.Semaphore(PROCESSES)

    async def fetch(self, url: str) -> Preview:
        """Return the preview of a link, within five seconds. Raises NoPreview."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SECONDS
        try:
            async with asyncio.timeout_at(end), self._fetches:
                return await self._fetch(url, end)
        except RequestFailed as error:
            raise NoPreview(error.kind.value) from error
        except TimeoutError as error:
            raise NoPreview(Kind.TIMED_OUT.value) from error

    async def _fetch(self, url: str, end: float) -> Preview:
        async with open_client(webhook_policy(), sockets=1) as client:
            page = await client.download(url, PAGE_BYTES, clipped=True)
            found = await self._read(page)
            title = clean(found["title"], TITLE_LENGTH)
            if not title:
                raise NoPreview("no title")
            thumbnail = b""
            if found["picture"]:
                thumbnail = await self._thumbnail(client, page.url, found["picture"], end)
        return Preview(title, clean(found["description"], DESCRIPTION_LENGTH), thumbnail)

    async def _read(self, page: Downloaded) -> dict[str, str]:
        """Return what a page says about itself."""
        kind = page.content_type.partition(";")[0].strip().lower()
        if kind not in ("", *PAGES):
            raise NoPreview("no page")
        charset = CHARSET.search(page.content_type)
        arguments = ["page", charset[1]] if charset else ["page"]
        answer = await self._run(page.content, ANSWER_BYTES, *arguments)
        try:
            found = json.loads(answer)
            return {name: str(found[name]) for name in ("title", "description", "picture")}
        except (ValueError, KeyError, TypeError) as error:
            raise NoPreview("unreadable") from error

    async def _thumbnail(self, client: Client, page: str, picture: str, end: float) -> bytes:
        """Return a page's picture as a small JPEG, empty when there is none in time."""
        # A bit earlier than the whole, which then goes without a picture.
        with suppress(RequestFailed, NoPreview, TimeoutError):
            async with asyncio.timeout_at(end - 0.25):
                try:
                    url = urljoin(page, picture)
                except ValueError:
                    return b""
                found = await client.download(url, PICTURE_BYTES)
                made = await self._run(found.content, THUMBNAIL_BYTES, "picture")
                return made if made.startswith(b"\xff\xd8\xff") else b""
        return b""

    async def _run(self, content: bytes, most: int, *arguments: str) -> bytes:
        """Return what the process makes of a stranger's input. Raises NoPreview."""
        async with self._processes:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(SCRIPT), *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
            )
            try:
                return await _exchange(process, content, most)
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


async def _exchange(process: asyncio.subprocess.Process, content: bytes, most: int) -> bytes:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(content)
    process.stdin.close()
    try:
        await process.stdout.readexactly(most + 1)
    except asyncio.IncompleteReadError as whole:
        if await process.wait() == 0:
            return whole.partial
    raise NoPreview("unreadable")


def clean(text: str, most: int) -> str:
    """Return a text in one line without invisible characters, of at most so many characters."""
    spaced = " ".join(text.split())
    shown = "".join(character for character in spaced if not _is_hidden(character)).strip()
    return shown if len(shown) <= most else f"{shown[: most - 1].rstrip()}…"


def _is_hidden(character: str) -> bool:
    if character in JOINERS:
        return False
    return character in FILLERS or unicodedata.category(character) in HIDDEN
