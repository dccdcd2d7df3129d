"""Each request has its own thread, and slow requests do not delay others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from pytest_django import Settings

from whatsapp_orgs.server import request_slots
from whatsapp_orgs.server.handler import BLOCK_BYTES, POOL_THREADS, ThreadHandler
from whatsapp_orgs.server.request_slots import RequestSlots, ServerBusy
from whatsapp_orgs.tests.support import handler_urls

SECONDS = 20.0


@pytest.fixture
def handler(settings: Settings) -> Iterator[ThreadHandler]:
    settings.ROOT_URLCONF = "whatsapp_orgs.tests.support.handler_urls"
    settings.MIDDLEWARE = []
    handler_urls.may_continue.clear()
    yield ThreadHandler()
    handler_urls.may_continue.set()


def start_request(handler: ThreadHandler, path: str, body: bytes = b"") -> Any:
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
    request = start_request(handler, path, body)
    await request.send_input({"type": "http.request", "body": body})
    start = await request.receive_output(SECONDS)
    content = b""
    while True:
        part = await request.receive_output(SECONDS)
        content += part["body"]
        if not part["more_body"]:
            break
    await request.wait(SECONDS)
    return start, content


async def acquire(semaphore: Any) -> None:
    assert await asyncio.to_thread(semaphore.acquire, True, SECONDS)


async def test_response_has_status_headers_and_whole_body(handler: ThreadHandler) -> None:
    start, content = await ask(handler, "/quick")
    assert start["status"] == 200
    assert content.startswith(b"request")
    assert (b"Set-Cookie", b"taste=good; Path=/") in start["headers"]
    assert (await ask(handler, "/echo", b"body"))[1] == b"body"
    assert (await ask(handler, "/stream"))[1] == b"one two"
    assert (await ask(handler, "/file"))[1] == Path(handler_urls.__file__).read_bytes()
    large = b"x" * (3 * 2**16 + 5)
    assert (await ask(handler, "/echo", large))[1] == large


async def test_slow_requests_do_not_delay_others(handler: ThreadHandler) -> None:
    slow = [start_request(handler, "/wait") for _ in range(3 * POOL_THREADS)]
    for request in slow:
        await request.send_input({"type": "http.request"})
    for _ in slow:
        await acquire(handler_urls.waiting)
    assert (await ask(handler, "/quick"))[0]["status"] == 200
    handler_urls.may_continue.set()
    for request in slow:
        assert (await request.receive_output(SECONDS))["status"] == 200
        assert (await request.receive_output(SECONDS))["body"] == b"waited"
        await request.wait(SECONDS)
        await acquire(handler_urls.finished)
    assert handler.pool_requests == 0


async def fill_slots(handler: ThreadHandler, number: int) -> list[Any]:
    """Start requests that take all slots; return them when their views run."""
    handler.slots = RequestSlots(number)
    slow = [start_request(handler, "/wait") for _ in range(number)]
    for request in slow:
        await request.send_input({"type": "http.request"})
    for _ in slow:
        await acquire(handler_urls.waiting)
    return slow


async def assert_busy(handler: ThreadHandler) -> None:
    request = start_request(handler, "/quick")
    await request.send_input({"type": "http.request"})
    with pytest.raises(ServerBusy):
        await request.wait(SECONDS)


async def test_request_without_a_free_slot_waits_for_one(handler: ThreadHandler) -> None:
    slow = await fill_slots(handler, 2)
    late = start_request(handler, "/quick")
    await late.send_input({"type": "http.request"})
    assert await late.receive_nothing(0.2)
    handler_urls.may_continue.set()
    assert (await late.receive_output(SECONDS))["status"] == 200
    for request in slow:
        await request.wait(SECONDS)
    await late.wait(SECONDS)
    assert handler.slots.taken == 0


async def test_request_that_gets_no_slot_in_time_is_refused(
    handler: ThreadHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = await fill_slots(handler, 2)
    monkeypatch.setattr(request_slots, "QUEUE_SECONDS", 0.05)
    await assert_busy(handler)
    monkeypatch.setattr(request_slots, "MAX_QUEUED", 0)
    await assert_busy(handler)
    handler_urls.may_continue.set()
    for request in slow:
        await request.wait(SECONDS)
    assert (await ask(handler, "/quick"))[0]["status"] == 200
    assert handler.slots.taken == 0


async def test_client_that_disconnects_in_the_queue_takes_no_slot(handler: ThreadHandler) -> None:
    slow = await fill_slots(handler, 1)
    late = start_request(handler, "/quick")
    await late.send_input({"type": "http.request"})
    assert await late.receive_nothing(0.1)
    await late.send_input({"type": "http.disconnect"})
    await late.wait(SECONDS)
    assert late.output_queue.empty()
    handler_urls.may_continue.set()
    await slow[0].wait(SECONDS)
    assert (await ask(handler, "/quick"))[0]["status"] == 200
    assert handler.slots.taken == 0


async def test_long_poll_lends_its_slot_to_other_requests(handler: ThreadHandler) -> None:
    handler.slots = RequestSlots(2)
    waiting = [start_request(handler, "/long-poll") for _ in range(6)]
    for request in waiting:
        await request.send_input({"type": "http.request"})
    for _ in waiting:
        await acquire(handler_urls.waiting)
    assert (await ask(handler, "/quick"))[0]["status"] == 200
    handler_urls.may_continue.set()
    for request in waiting:
        assert (await request.receive_output(SECONDS))["status"] == 200
        await request.wait(SECONDS)
    assert (handler.slots.taken, handler.slots.lent) == (0, 0)


async def test_view_runs_to_its_end_after_a_disconnect(handler: ThreadHandler) -> None:
    request = start_request(handler, "/wait")
    await request.send_input({"type": "http.request"})
    await acquire(handler_urls.waiting)
    await request.send_input({"type": "http.disconnect"})
    await request.wait(SECONDS)
    assert request.output_queue.empty()
    assert handler.pool_requests == 1
    handler_urls.may_continue.set()
    await acquire(handler_urls.finished)
    async with asyncio.timeout(SECONDS):
        while handler.pool_requests:
            await asyncio.sleep(0.01)


async def test_disconnect_within_the_body_calls_no_view(handler: ThreadHandler) -> None:
    request = start_request(handler, "/echo", b"abc")
    await request.send_input({"type": "http.request", "body": b"a", "more_body": True})
    await request.send_input({"type": "http.disconnect"})
    await request.wait(SECONDS)
    assert request.output_queue.empty()


async def start_large_stream(handler: ThreadHandler) -> tuple[Any, asyncio.Event, list[int]]:
    """Start a large response to a client that reads once the event is set. Return what it read."""
    reading, sizes = asyncio.Event(), list[int]()
    requests: asyncio.Queue[Any] = asyncio.Queue()
    requests.put_nowait({"type": "http.request"})

    async def send(message: Any) -> None:
        await reading.wait()
        sizes.append(len(message.get("body", b"")))

    scope = start_request(handler, "/large-stream").scope
    request = asyncio.ensure_future(handler(scope, requests.get, send))
    request.add_done_callback(lambda _: None)
    return (request, requests), reading, sizes


async def until(condition: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def test_large_stream_is_made_as_the_client_reads(handler: ThreadHandler) -> None:
    (request, _), reading, sizes = await start_large_stream(handler)
    await until(lambda: handler.slots.lent == 1)
    assert len(handler_urls.produced) <= 3
    assert handler.slots.taken == 0, "others may run while the client is waited for"
    reading.set()
    async with asyncio.timeout(SECONDS):
        await request
    assert sum(sizes) == handler_urls.LARGE_BLOCKS * BLOCK_BYTES
    assert max(sizes) == BLOCK_BYTES
    assert (handler.slots.taken, handler.slots.lent) == (0, 0)
    await acquire(handler_urls.finished)


async def test_stream_ends_when_the_client_disconnects(handler: ThreadHandler) -> None:
    (request, requests), reading, _ = await start_large_stream(handler)
    await until(lambda: handler.slots.lent == 1)
    requests.put_nowait({"type": "http.disconnect"})
    async with asyncio.timeout(SECONDS):
        await request
    reading.set()
    await acquire(handler_urls.finished)
    assert len(handler_urls.produced) <= 4
    await until(lambda: (handler.slots.taken, handler.slots.lent) == (0, 0))


async def test_stream_that_fails_is_never_complete(handler: ThreadHandler) -> None:
    request = start_request(handler, "/broken-stream")
    await request.send_input({"type": "http.request"})
    with pytest.raises(ArithmeticError):
        await request.wait(SECONDS)
    parts = [request.output_queue.get_nowait() for _ in range(request.output_queue.qsize())]
    assert [part["type"] for part in parts][0] == "http.response.start"
    assert all(part.get("more_body", True) for part in parts)
