"""An ASGI handler for Django that runs each request in one thread: all views are synchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.urls import set_script_prefix

from connections.long_poll import step_aside
from whatsapp_orgs.server.request_places import RequestPlaces

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

# Threads that stay, each with its database connection; more requests at once get one of their own,
# up to REQUEST_THREADS.
THREADS = 8


@dataclass(frozen=True)
class Answer:
    """A response that is finished: nothing of it is left to compute or to close."""

    response: HttpResponseBase
    content: bytes


# Django's own handler and a2wsgi were measured against it: docs/performance.md.
class ThreadHandler(ASGIHandler):
    """Answers each request in a thread, from its first middleware to the end of its response."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._staying = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self.busy = 0
        self.places = RequestPlaces(settings.REQUEST_THREADS)
        # Those whose client is gone are finished all the same.
        self._running: set[asyncio.Future[Answer]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. Raises Busy when too many are being answered."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        leaving = asyncio.ensure_future(receive())
        try:
            if not await self._has_place(leaving, body):
                return
            answering = self._begin(scope, body)
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if answering.done():
            await self._send(answering.result(), send)

    async def _has_place(self, leaving: asyncio.Future[Any], body: IO[bytes]) -> bool:
        """Take a place. Returns whether there is a client still. Raises Busy."""
        has_place = self.places.take_free()
        try:
            has_place = has_place or await self._wait_for_place(leaving)
        finally:
            if not has_place:
                body.close()
        return has_place

    async def _wait_for_place(self, leaving: asyncio.Future[Any]) -> bool:
        """Return whether there is a place, and a client still. Raises Busy."""
        waiting = asyncio.ensure_future(self.places.wait())
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if waiting.done() and waiting.exception() is None:
                self.places.release()
            waiting.cancel()
            raise
        if not waiting.done():
            waiting.cancel()
            return False
        waiting.result()
        return True

    def _begin(self, scope: Scope, body: IO[bytes]) -> asyncio.Future[Answer]:
        stays = self.busy < THREADS
        executor = self._staying if stays else ThreadPoolExecutor(1, "request")
        answer = sync_to_async(self._answer, thread_sensitive=False, executor=executor)
        # For this request alone: its task has the context of this moment.
        unset = step_aside.set(self.places.aside)
        answering = asyncio.ensure_future(answer(scope, body, stays))
        step_aside.reset(unset)
        self._running.add(answering)
        self.busy += stays

        def ended(_: asyncio.Future[Answer]) -> None:
            self._running.discard(answering)
            self.busy -= stays
            self.places.release()
            if not stays:
                executor.shutdown(wait=False)

        answering.add_done_callback(ended)
        return answering

    def _answer(self, scope: Scope, body: IO[bytes], stays: bool) -> Answer:
        """All of a request, on the thread that it keeps until its end."""
        try:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            # An answer instead of a request: its address or its body cannot be read.
            request, refused = self.create_request(scope, body)
            response: Any = refused if request is None else self.get_response(request)
            response._handler_class = self.__class__
            try:
                return Answer(response, _content(response))
            finally:
                response.close()  # Tells that the request is over, which lets go of the database.
        finally:
            body.close()
            if not stays:
                connections.close_all()

    async def _send(self, answer: Answer, send: Send) -> None:
        response = answer.response
        headers = [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()
        ]
        headers += [
            (b"Set-Cookie", cookie.output(header="").encode("ascii").strip())
            for cookie in response.cookies.values()
        ]
        start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
        await send(start)
        for chunk, last in self.chunk_bytes(answer.content):
            await send({"type": "http.response.body", "body": chunk, "more_body": not last})


def _content(response: HttpResponseBase) -> bytes:
    """All that a response says; what is streamed here are static files, which are small."""
    if isinstance(response, StreamingHttpResponse):
        return b"".join(response)
    assert isinstance(response, HttpResponse)
    return response.content


def application() -> ThreadHandler:
    """Django, ready to answer."""
    django.setup(set_prefix=False)
    return ThreadHandler()
