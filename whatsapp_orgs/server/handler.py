"""An ASGI handler for Django that runs each request in one thread, as all views are synchronous."""

from __future__ import annotations

import asyncio
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
from whatsapp_orgs.server.asgi_types import Receive, Scope, Send
from whatsapp_orgs.server.request_slots import RequestSlots

# Threads of the pool, each with its database connection. Beyond them each request gets a new
# thread, up to REQUEST_THREADS in all.
POOL_THREADS = 8


@dataclass(frozen=True)
class FinishedResponse:
    """A response that has been rendered and closed."""

    response: HttpResponseBase
    content: bytes


# Measured against Django's own handler and a2wsgi: docs/performance.md.
class ThreadHandler(ASGIHandler):
    """Runs each request in one thread, from its first middleware to the end of its response."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._pool = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="request")
        self.pool_requests = 0
        self.slots = RequestSlots(settings.REQUEST_THREADS)
        # Requests go on when their client has disconnected.
        self._futures: set[asyncio.Future[FinishedResponse]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request. Raises ServerBusy when it gets no slot in time."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        disconnect = asyncio.ensure_future(receive())
        try:
            if not await self._acquire_slot(disconnect, body):
                return
            future = self._start(scope, body)
            await asyncio.wait({future, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            disconnect.cancel()
        if future.done():
            await self._send(future.result(), send)

    async def _acquire_slot(self, disconnect: asyncio.Future[Any], body: IO[bytes]) -> bool:
        """Acquire a slot. Returns False if the client disconnects first. Raises ServerBusy."""
        acquired = self.slots.try_acquire()
        try:
            acquired = acquired or await self._wait_for_slot(disconnect)
        finally:
            if not acquired:
                body.close()
        return acquired

    async def _wait_for_slot(self, disconnect: asyncio.Future[Any]) -> bool:
        """Wait for a slot. Returns False if the client disconnects first. Raises ServerBusy."""
        waiting = asyncio.ensure_future(self.slots.wait())
        try:
            await asyncio.wait({waiting, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if waiting.done() and waiting.exception() is None:
                self.slots.release()
            waiting.cancel()
            raise
        if not waiting.done():
            waiting.cancel()
            return False
        waiting.result()
        return True

    def _start(self, scope: Scope, body: IO[bytes]) -> asyncio.Future[FinishedResponse]:
        pooled = self.pool_requests < POOL_THREADS
        executor = self._pool if pooled else ThreadPoolExecutor(1, "request")
        respond = sync_to_async(self._respond, thread_sensitive=False, executor=executor)
        # The request's task copies the context at its creation; no other request sees this value.
        reset_token = step_aside.set(self.slots.lend)
        future = asyncio.ensure_future(respond(scope, body, pooled))
        step_aside.reset(reset_token)
        self._futures.add(future)
        self.pool_requests += pooled

        def finish(_: asyncio.Future[FinishedResponse]) -> None:
            self._futures.discard(future)
            self.pool_requests -= pooled
            self.slots.release()
            if not pooled:
                executor.shutdown(wait=False)

        future.add_done_callback(finish)
        return future

    def _respond(self, scope: Scope, body: IO[bytes], pooled: bool) -> FinishedResponse:
        """Return the finished response. The request stays on this thread until its end."""
        try:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            # `error`: the response to a request whose path or body cannot be parsed.
            request, error = self.create_request(scope, body)
            response: Any = error if request is None else self.get_response(request)
            response._handler_class = self.__class__
            try:
                return FinishedResponse(response, _content(response))
            finally:
                response.close()  # Sends request_finished, which releases the database.
        finally:
            body.close()
            if not pooled:
                connections.close_all()

    async def _send(self, finished: FinishedResponse, send: Send) -> None:
        response = finished.response
        headers = [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()
        ]
        headers += [
            (b"Set-Cookie", cookie.output(header="").encode("ascii").strip())
            for cookie in response.cookies.values()
        ]
        start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
        await send(start)
        for chunk, last in self.chunk_bytes(finished.content):
            await send({"type": "http.response.body", "body": chunk, "more_body": not last})


def _content(response: HttpResponseBase) -> bytes:
    """Return the whole body. Only static files, which are small, are streamed."""
    if isinstance(response, StreamingHttpResponse):
        return b"".join(response)
    assert isinstance(response, HttpResponse)
    return response.content


def application() -> ThreadHandler:
    """Set Django up and return its handler."""
    django.setup(set_prefix=False)
    return ThreadHandler()
