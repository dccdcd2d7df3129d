"""Addresses of the tests of the handler: views that wait, stream, set a cookie."""

import threading

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from connections.long_poll import step_aside

going_on = threading.Event()
waiting = threading.Semaphore(0)
finished = threading.Semaphore(0)


def wait(request: HttpRequest) -> HttpResponse:
    """Until the test lets it go on."""
    waiting.release()
    assert going_on.wait(20)
    finished.release()
    return HttpResponse("waited")


def wait_aside(request: HttpRequest) -> HttpResponse:
    """As a request does that waits for news of a connection."""
    with step_aside.get()():
        return wait(request)


def quick(request: HttpRequest) -> HttpResponse:
    """An answer with a cookie, that says which thread made it."""
    response = HttpResponse(threading.current_thread().name)
    response.set_cookie("taste", "good")
    return response


def echo(request: HttpRequest) -> HttpResponse:
    """What was sent."""
    return HttpResponse(request.body)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """In pieces."""
    return StreamingHttpResponse(iter([b"one ", b"two"]))


def file(request: HttpRequest) -> FileResponse:
    """This file."""
    return FileResponse(open(__file__, "rb"))  # noqa: SIM115 (Django closes it)


urlpatterns = [
    path("wait", wait),
    path("wait-aside", wait_aside),
    path("quick", quick),
    path("echo", echo),
    path("stream", stream),
    path("file", file),
]
