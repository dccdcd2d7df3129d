"""Each request has a thread to itself, and no number of slow ones keeps another waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from pytest_django import Settings

from whatsapp_orgs.server import request_places
from whatsapp_orgs.server.handler import THREADS, ThreadHandler
from whatsapp_orgs.server.request_places import Busy, RequestPlaces
from whatsapp_orgs.tests.support import handled_urls

SECONDS = 20.0


@pytest.fixture
def handler(settings: Settings) -> Iterator[ThreadHandler]:
    settings.ROOT_URLCONF = "whatsapp_orgs.tests.support.handled_urls"
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


async def full(handler: ThreadHandler, number: int) -> list[Any]:
    """Requests that take all places, and have begun."""
    handler.places = RequestPlaces(number)
    slow = [begin(handler, "/wait") for _ in range(number)]
    for asked in slow:
        await asked.send_input({"type": "http.request"})
    for _ in slow:
        await taken(handled_urls.waiting)
    return slow


async def is_refused(handler: ThreadHandler) -> None:
    asked = begin(handler, "/quick")
    await asked.send_input({"type": "http.request"})
    with pytest.raises(Busy):
        await asked.wait(SECONDS)


async def test_request_beyond_the_places_waits_for_one(handler: ThreadHandler) -> None:
    slow = await full(handler, 2)
    late = begin(handler, "/quick")
    await late.send_input({"type": "http.request"})
    assert await late.receive_nothing(0.2)
    handled_urls.going_on.set()
    assert (await late.receive_output(SECONDS))["status"] == 200
    for asked in slow:
        await asked.wait(SECONDS)
    await late.wait(SECONDS)
    assert handler.places.taken == 0


async def test_request_that_finds_no_place_in_time_is_refused(
    handler: ThreadHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = await full(handler, 2)
    monkeypatch.setattr(request_places, "QUEUE_SECONDS", 0.05)
    await is_refused(handler)
    monkeypatch.setattr(request_places, "MAX_QUEUED", 0)
    await is_refused(handler)
    handled_urls.going_on.set()
    for asked in slow:
        await asked.wait(SECONDS)
    assert (await ask(handler, "/quick"))[0]["status"] == 200
    assert handler.places.taken == 0


async def test_client_that_leaves_the_queue_takes_no_place(handler: ThreadHandler) -> None:
    slow = await full(handler, 1)
    late = begin(handler, "/quick")
    await late.send_input({"type": "http.request"})
    assert await late.receive_nothing(0.1)
    await late.send_input({"type": "http.disconnect"})
    await late.wait(SECONDS)
    assert late.output_queue.empty()
    handled_urls.going_on.set()
    await slow[0].wait(SECONDS)
    assert (await ask(handler, "/quick"))[0]["status"] == 200
    assert handler.places.taken == 0


async def test_request_that_waits_for_news_is_in_nobodys_way(handler: ThreadHandler) -> None:
    handler.places = RequestPlaces(2)
    waiting = [begin(handler, "/wait-aside") for _ in range(6)]
    for asked in waiting:
        await asked.send_input({"type": "http.request"})
    for _ in waiting:
        await taken(handled_urls.waiting)
    assert (await ask(handler, "/quick"))[0]["status"] == 200
    handled_urls.going_on.set()
    for asked in waiting:
        assert (await asked.receive_output(SECONDS))["status"] == 200
        await asked.wait(SECONDS)
    assert (handler.places.taken, handler.places.stepped_aside) == (0, 0)


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
