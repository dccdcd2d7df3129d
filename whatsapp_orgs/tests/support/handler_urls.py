"""URLconf for the tests of the handler: views that wait, stream and set a cookie."""

import threading
from collections.abc import Iterator

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from connections.long_poll import step_aside
from whatsapp_orgs.server.handler import BLOCK_BYTES

may_continue = threading.Event()
waiting = threading.Semaphore(0)
finished = threading.Semaphore(0)

LARGE_BLOCKS = 40
produced: list[int] = []
"""The blocks of `large_stream` that were made."""


def wait(request: HttpRequest) -> HttpResponse:
    """Return when the test sets `may_continue`."""
    waiting.release()
    assert may_continue.wait(20)
    finished.release()
    return HttpResponse("waited")


def long_poll(request: HttpRequest) -> HttpResponse:
    """Wait as a long poll does."""
    with step_aside.get()():
        return wait(request)


def quick(request: HttpRequest) -> HttpResponse:
    """Return the name of the thread, and a cookie."""
    response = HttpResponse(threading.current_thread().name)
    response.set_cookie("taste", "good")
    return response


def echo(request: HttpRequest) -> HttpResponse:
    """Return the request's body."""
    return HttpResponse(request.body)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Return a streaming response."""
    return StreamingHttpResponse(iter([b"one ", b"two"]))


def large_stream(request: HttpRequest) -> StreamingHttpResponse:
    """Return a response of many blocks; `finished` when all of it was asked for, or never will."""

    def blocks() -> Iterator[bytes]:
        try:
            for number in range(LARGE_BLOCKS):
                produced.append(number)
                yield bytes([number]) * BLOCK_BYTES
        finally:
            finished.release()

    produced.clear()
    return StreamingHttpResponse(blocks())


def broken_stream(request: HttpRequest) -> StreamingHttpResponse:
    """Return a response that fails after some blocks."""

    def blocks() -> Iterator[bytes]:
        for _ in range(3):
            yield b"x" * BLOCK_BYTES
        raise ArithmeticError

    return StreamingHttpResponse(blocks())


def file(request: HttpRequest) -> FileResponse:
    """Return this file."""
    return FileResponse(open(__file__, "rb"))  # noqa: SIM115 (Django closes it)


urlpatterns = [
    path("wait", wait),
    path("long-poll", long_poll),
    path("quick", quick),
    path("echo", echo),
    path("stream", stream),
    path("large-stream", large_stream),
    path("broken-stream", broken_stream),
    path("file", file),
]
