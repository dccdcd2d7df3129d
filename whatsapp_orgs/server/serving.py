"""Daphne, with bounds: on how long and how large a request may be, and on what waits in memory.

Daphne reads a request whole before the application hears of it, and writes to clients whether they
read or not. So what the application cannot bound is bounded here.
"""

from __future__ import annotations

import asyncio
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from daphne import server as daphne_server
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.internet import interfaces, tcp
from twisted.web.http import _GenericHTTPChannelProtocol
from zope.interface import implementer

from organizations.sockets.authentication import CloseCode
from whatsapp_orgs.server.client_connections import ClientTransport, open_connections
from whatsapp_orgs.server.http_channel import BoundedChannel

# A client's questions: "{}" is one.
MESSAGE_BYTES = 4096
QUESTIONS_WAITING = 50


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request that is dropped when it brings too much.

    This is the limit of all bodies; the API's own is lower (`organizations.api.views.BODY_LIMIT`).
    """

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        self._left = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if length is not None and length > self._left:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def process(self) -> Any:
        self.channel.request_is_whole()
        # Daphne lets this header say where the site is mounted, and so where its links lead.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        return super().process()

    def _refuse(self) -> None:
        if self.channel is not None:
            self.channel.transport.write(
                b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )
            self.channel.loseConnection()


class BoundedHTTPFactory(HTTPFactory):  # type: ignore[misc]
    """Connections with bounds, as many from one address as are allowed."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.timeOut = settings.CLIENT_DEADLINES["idle"]

    def protocol(self) -> Any:
        return _GenericHTTPChannelProtocol(BoundedChannel())

    def buildProtocol(self, address: Any) -> Any:
        """Return None, which closes the connection, when the address has too many."""
        if not open_connections.has_room(address.host):
            return None
        protocol = super().buildProtocol(address)
        protocol.requestFactory = BoundedRequest
        return protocol


@implementer(interfaces.IPushProducer)
class Readiness:
    """Whether a client reads what it is sent; its transport tells when its buffer is full."""

    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._ready.set()

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    async def wait(self) -> None:
        await self._ready.wait()

    def pauseProducing(self) -> None:
        self._ready.clear()

    def resumeProducing(self) -> None:
        self._ready.set()

    def stopProducing(self) -> None:
        """The client is gone: whoever waits for it may go on, to no one."""
        self._ready.set()


class BoundedWebSocketProtocol(WebSocketProtocol):  # type: ignore[misc]
    """A socket that tells the application to wait, and takes no endless number of questions."""

    maxMessagePayloadSize: int

    def connectionMade(self) -> None:
        super().connectionMade()
        self.readiness = Readiness()
        # Until now it was the HTTP connection that was told of a full buffer.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.readiness, True)

    def onConnect(self, request: Any) -> Any:
        if not request.headers.get("sec-websocket-protocol", "").isascii():
            raise ConnectionDeny(400, "Bad Request")
        return super().onConnect(request)

    def sendMessage(self, *arguments: Any, **named: Any) -> None:
        # The bound is for what clients say; autobahn would hold us to it, too.
        bound, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(*arguments, **named)
        finally:
            self.maxMessagePayloadSize = bound

    def onPing(self, payload: bytes) -> None:
        # A client that reads no answers gets none: they would wait in memory.
        if self.readiness.is_ready:
            super().onPing(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.application_queue.qsize() < QUESTIONS_WAITING:
            super().onMessage(payload, isBinary)
        else:
            self.serverClose(code=int(CloseCode.TOO_MANY))


class BoundedWebSocketFactory(WebSocketFactory):  # type: ignore[misc]
    """Sockets that tell a client what was wrong, before they drop it."""

    protocol = BoundedWebSocketProtocol

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.setProtocolOptions(failByDrop=False)


class BoundedServer(Server):  # type: ignore[misc]
    """Daphne's server over the classes above, for which it has no settings."""

    def __init__(self, **named: Any) -> None:
        super().__init__(
            websocket_max_message_size=MESSAGE_BYTES,
            websocket_max_frame_size=MESSAGE_BYTES,
            **named,
        )

    def run(self) -> None:
        daphne_server.HTTPFactory = BoundedHTTPFactory
        daphne_server.WebSocketFactory = BoundedWebSocketFactory
        tcp.Port.transport = ClientTransport
        super().run()

    def timeout_checker(self) -> None:
        """Daphne calls this every two seconds."""
        open_connections.drop_stalled()
        super().timeout_checker()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await protocol.readiness.wait()
        await super().handle_reply(protocol, message)
