"""Each request has a thread to itself, and no number of slow ones keeps another waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from pytest_django import Settings

from whatsapp_orgs.handler import THREADS, ThreadHandler
from whatsapp_orgs.tests import handled_urls

SECONDS = 20.0


@pytest.fixture
def handler(settings: Settings) -> Iterator[ThreadHandler]:
    settings.ROOT_URLCONF = "whatsapp_orgs.tests.handled_urls"
    settings.MIDDLEWARE = []
    handled_urls.going_on.clear()
    yield ThreadHandler()
    handled_urls.going_on.set()


def begin(handler: ThreadHandler, path: str, body: bytes = b"") -> Any:
    scope = {
        "type": "http",
        "method": "POST" if body else "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())],
        "client": ("192.0.2.1", 1),
    }
    communicator: Any = ApplicationCommunicator
    return communicator(handler, scope)


async def ask(handler: ThreadHandler, path: str, body: bytes = b"") -> tuple[Any, bytes]:
    asked = begin(handler, path, body)
    await asked.send_input({"type": "http.request", "body": body})
    start = await asked.receive_output(SECONDS)
    content = b""
    while True:
        part = await asked.receive_output(SECONDS)
        content += part["body"]
        if not part["more_body"]:
            break
    await asked.wait(SECONDS)
    return start, content


async def taken(semaphore: Any) -> None:
    assert await asyncio.to_thread(semaphore.acquire, True, SECONDS)


async def test_an_answer_is_whole(handler: ThreadHandler) -> None:
    start, content = await ask(handler, "/quick")
    assert start["status"] == 200
    assert content.startswith(b"request")
    assert (b"Set-Cookie", b"taste=good; Path=/") in start["headers"]
    assert (await ask(handler, "/echo", b"said"))[1] == b"said"
    assert (await ask(handler, "/stream"))[1] == b"one two"
    assert (await ask(handler, "/file"))[1] == Path(handled_urls.__file__).read_bytes()
    large = b"x" * (3 * 2**16 + 5)
    assert (await ask(handler, "/echo", large))[1] == large


async def test_slow_ones_keep_no_other_waiting(handler: ThreadHandler) -> None:
    slow = [begin(handler, "/wait") for _ in range(3 * THREADS)]
    for asked in slow:
        await asked.send_input({"type": "http.request"})
    for _ in slow:
        await taken(handled_urls.waiting)
    assert (await ask(handler, "/quick"))[0]["status"] == 200
    handled_urls.going_on.set()
    for asked in slow:
        assert (await asked.receive_output(SECONDS))["status"] == 200
        assert (await asked.receive_output(SECONDS))["body"] == b"waited"
        await asked.wait(SECONDS)
        await taken(handled_urls.finished)
    assert handler.busy == 0


async def test_who_leaves_waits_for_nothing_and_the_request_ends(handler: ThreadHandler) -> None:
    asked = begin(handler, "/wait")
    await asked.send_input({"type": "http.request"})
    await taken(handled_urls.waiting)
    await asked.send_input({"type": "http.disconnect"})
    await asked.wait(SECONDS)
    assert asked.output_queue.empty()
    assert handler.busy == 1
    handled_urls.going_on.set()
    await taken(handled_urls.finished)
    async with asyncio.timeout(SECONDS):
        while handler.busy:
            await asyncio.sleep(0.01)


async def test_who_leaves_while_speaking_is_not_heard(handler: ThreadHandler) -> None:
    asked = begin(handler, "/echo", b"abc")
    await asked.send_input({"type": "http.request", "body": b"a", "more_body": True})
    await asked.send_input({"type": "http.disconnect"})
    await asked.wait(SECONDS)
    assert asked.output_queue.empty()
