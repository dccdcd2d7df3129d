"""An ASGI handler for Django that runs each request in one thread, as all views are synchronous."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator
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


# A streaming response goes out in blocks of about this size; a smaller one goes out at once.
BLOCK_BYTES = 256 * 1024
# How long a client may take to read a block.
BLOCK_SECONDS = 120.0


class ClientGone(Exception):
    """Nobody reads the response any more."""


@dataclass(frozen=True)
class FinishedResponse:
    """A response that has been rendered and closed. `content`: None when it was sent already."""

    response: HttpResponseBase
    content: bytes | None


class Outlet:
    """Sends messages from a request's thread to its client, which it waits for."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def close(self) -> None:
        """Refuse all further messages. For the event loop only."""
        self._closed = True

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, when the client has read most of those before.

        Raises ClientGone, and TimeoutError for a client that reads too slowly.
        """
        sent = asyncio.run_coroutine_threadsafe(self._deliver(message), self._loop)
        try:
            sent.result(BLOCK_SECONDS)
        finally:
            sent.cancel()

    async def _deliver(self, message: dict[str, Any]) -> None:
        if self._closed:
            raise ClientGone
        await self._send(message)


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
        outlet = Outlet(send)
        try:
            if not await self._acquire_slot(disconnect, body):
                return
            future = self._start(scope, body, outlet)
            await asyncio.wait({future, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            outlet.close()
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

    def _start(
        self, scope: Scope, body: IO[bytes], outlet: Outlet
    ) -> asyncio.Future[FinishedResponse]:
        pooled = self.pool_requests < POOL_THREADS
        executor = self._pool if pooled else ThreadPoolExecutor(1, "request")
        respond = sync_to_async(self._respond, thread_sensitive=False, executor=executor)
        # The request's task copies the context at its creation; no other request sees this value.
        reset_token = step_aside.set(self.slots.lend)
        future = asyncio.ensure_future(respond(scope, body, pooled, outlet))
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

    def _respond(
        self, scope: Scope, body: IO[bytes], pooled: bool, outlet: Outlet
    ) -> FinishedResponse:
        """Return the finished response. The request stays on this thread until its end."""
        try:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            # `error`: the response to a request whose path or body cannot be parsed.
            request, error = self.create_request(scope, body)
            response: Any = error if request is None else self.get_response(request)
            response._handler_class = self.__class__
            try:
                return FinishedResponse(response, self._content(response, outlet))
            finally:
                response.close()  # Sends request_finished, which releases the database.
        finally:
            body.close()
            if not pooled:
                connections.close_all()

    def _content(self, response: HttpResponseBase, outlet: Outlet) -> bytes | None:
        """Return the whole body; of a long stream None, after it was sent."""
        if not isinstance(response, StreamingHttpResponse):
            assert isinstance(response, HttpResponse)
            return response.content
        blocks = _blocks(response)
        first = next(blocks, b"")
        second = next(blocks, None)
        if second is None:
            return first
        for message in _messages_of(response, itertools.chain((first, second), blocks)):
            try:
                with self.slots.lend():
                    outlet.send(message)
            except ClientGone:
                break
        return None

    async def _send(self, finished: FinishedResponse, send: Send) -> None:
        if finished.content is None:
            return
        await send(_start_of(finished.response))
        for chunk, last in self.chunk_bytes(finished.content):
            await send({"type": "http.response.body", "body": chunk, "more_body": not last})


def _start_of(response: HttpResponseBase) -> dict[str, Any]:
    """Return the message with a response's status and headers."""
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [
        (b"Set-Cookie", cookie.output(header="").encode("ascii").strip())
        for cookie in response.cookies.values()
    ]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def _messages_of(
    response: StreamingHttpResponse, blocks: Iterable[bytes]
) -> Iterator[dict[str, Any]]:
    """Yield the messages of a whole response."""
    yield _start_of(response)
    for block in blocks:
        yield {"type": "http.response.body", "body": block, "more_body": True}
    yield {"type": "http.response.body", "body": b"", "more_body": False}


def _blocks(response: StreamingHttpResponse) -> Iterator[bytes]:
    """Yield the body in blocks of about BLOCK_BYTES."""
    block = bytearray()
    for chunk in response:
        block += chunk
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def application() -> ThreadHandler:
    """Set Django up and return its handler."""
    django.setup(set_prefix=False)
    return ThreadHandler()
