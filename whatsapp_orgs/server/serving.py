"""Daphne with limits: on the duration and size of requests, and on data buffered in memory.

Daphne reads the whole request before it calls the application, and writes to clients whether they
read or not; so the application cannot set these limits itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.types import ConnectionDeny
from daphne import server as daphne_server
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.internet import tcp
from twisted.web.http import _GenericHTTPChannelProtocol

from cloud_api import error_views
from cloud_api.query_secrets import SCOPE_KEY, without_secrets
from organizations.client_network import network_of
from organizations.sockets.authentication import CloseCode
from whatsapp_orgs.api import error_body
from whatsapp_orgs.server.busy_response import BUSY_MESSAGE
from whatsapp_orgs.server.client_connections import ClientTransport, open_connections
from whatsapp_orgs.server.flow_control import FlowControl
from whatsapp_orgs.server.http_channel import BoundedChannel
from whatsapp_orgs.server.proxy_headers import forwarded_address

# Messages of a WebSocket client; the longest expected one is short.
MAX_MESSAGE_BYTES = 4096
MAX_QUEUED_MESSAGES = 50

# The paths that take files, and how many large ones are taken at a time: in all, and of the clients
# of one network.
UPLOAD_PATH = re.compile(
    rb"/api/v1/organizations/\d+/media|/admin/connections/connection/\d+/messages/send/"
    rb"|/graph/(?:v\d{1,3}\.\d{1,2}/)?\d+/media(?:\?.*)?"
)
MAX_UPLOADS, MAX_UPLOADS_OF_NETWORK = 4, 2
FORM_BYTES = 64 * 1024
TOO_LARGE = b"413 Content Too Large"
JSON_TYPE = b"\r\nContent-Type: application/json"
TOO_MANY_UPLOADS = b"503 Service Unavailable\r\nRetry-After: 5"
NO_CREDENTIALS = b"401 Unauthorized\r\nWWW-Authenticate: Bearer"
TO_LOGIN = b"302 Found\r\nLocation: /admin/login/?next="
uploads: dict[Any, str] = {}
"""The large uploads that are received now, with the networks of their clients."""
GRAPH_BODIES = {
    TOO_LARGE: error_views.too_large_body,
    TOO_MANY_UPLOADS: error_views.busy_body,
    NO_CREDENTIALS: error_views.no_token_body,
}
"""What the façade's clients read with these."""
API_BODIES = {
    TOO_LARGE: error_body("too_large", error_views.TOO_LARGE),
    TOO_MANY_UPLOADS: error_body("busy", BUSY_MESSAGE),
    NO_CREDENTIALS: error_body(
        "not_authenticated", "Authentication credentials were not provided."
    ),
}
"""What the REST API's clients read with these."""


def _has_place(network: str) -> bool:
    """Return whether one more large upload from this network is taken now."""
    of_network = sum(other == network for other in uploads.values())
    return len(uploads) < MAX_UPLOADS and of_network < MAX_UPLOADS_OF_NETWORK


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request that is refused with 413 when its body is too large.

    This limit is for all bodies; the API's own is lower (`organizations.api.views.BODY_LIMIT`).
    Uploads of files have a higher one, and only a few are taken at a time: they are in memory.
    Those without any credential are refused before they are received; none is checked here. Of a
    chunked body all this is decided when it turns out to be large.
    """

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        self._limit, self._received = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, 0
        self._is_refused = False
        if length is not None and length > self._limit:
            self._begin_large(length)

    def _begin_large(self, length: int) -> None:
        """Take a body of at least this length where large ones are taken, or refuse it."""
        limit = settings.MEDIA_MAX_MB * 1024 * 1024 + FORM_BYTES
        if length > limit or not UPLOAD_PATH.fullmatch(self.channel._path):
            self._refuse()
        elif not self._has_credentials():
            path = self.channel._path
            self._refuse(TO_LOGIN + path if path.startswith(b"/admin/") else NO_CREDENTIALS)
        elif not _has_place(network := self._network()):
            self._refuse(TOO_MANY_UPLOADS)
        else:
            self._limit = limit
            uploads[self] = network
            self.notifyFinish().addBoth(lambda _: uploads.pop(self, None))

    def _has_credentials(self) -> bool:
        """Return whether there is a header, a session or a token in the query, right or wrong."""
        if self.requestHeaders.hasHeader(b"authorization"):
            return True
        if settings.SESSION_COOKIE_NAME.encode() in self.received_cookies:
            return True
        scope = without_secrets({"query_string": self.channel._path.partition(b"?")[2]})
        return bool(scope[SCOPE_KEY].get("access_token"))

    def _network(self) -> str:
        """Return the network of the client, as ProxyHeadersMiddleware takes it."""
        values = self.requestHeaders.getRawHeaders(b"x-forwarded-for") or []
        forwarded = forwarded_address(values) if settings.TRUST_PROXY else None
        return network_of(forwarded or self.channel.getPeer().host)

    def handleContentChunk(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._received += len(data)
        if self._received > self._limit:
            # Only a chunked body: others have said how long they are.
            self._begin_large(self._received)
        if not self._is_refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        # The end of a refused body may have come with what was too much.
        if not self._is_refused:
            super().requestReceived(command, path, version)

    def process(self) -> Any:
        self.channel.cancel_timeout()
        if self.requestHeaders.hasHeader(b"transfer-encoding"):
            # The body is here as a whole, so the application is told its length.
            self.requestHeaders.removeHeader(b"transfer-encoding")
            self.requestHeaders.setRawHeaders(b"content-length", [b"%d" % self._received])
        # Daphne would take the prefix of all links from this header, which any client can send.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        return super().process()

    def handle_exception(self, exception: BaseException) -> None:
        """Answer 500; once a response has begun, break it off, so that it is not taken as whole."""
        if not self._response_started:
            super().handle_exception(exception)
        elif self.channel is not None:
            self.channel.abortConnection()

    async def wait_until_writable(self) -> None:
        """Wait until the client has read enough of the response."""
        if self.channel is not None:
            await self.channel.flow_control.wait()

    def _refuse(self, status: bytes = TOO_LARGE) -> None:
        self._is_refused = True
        if self.channel is None:
            return
        body, path = b"", self.channel._path
        if path.startswith(error_views.PREFIX.encode()):
            body, status = json.dumps(GRAPH_BODIES[status]()).encode(), status + JSON_TYPE
        elif path.startswith(b"/api/"):
            body, status = json.dumps(API_BODIES[status]).encode(), status + JSON_TYPE
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        self.channel.transport.write(
            b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n" + length + body
        )
        self.channel.loseConnection()


class BoundedHTTPFactory(HTTPFactory):  # type: ignore[misc]
    """Builds limited connections, and refuses addresses that have too many."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.timeOut = settings.CLIENT_DEADLINES["idle"]

    def protocol(self) -> Any:
        return _GenericHTTPChannelProtocol(BoundedChannel())

    def buildProtocol(self, peer: Any) -> Any:
        """Return None, which closes the connection, when the peer has too many."""
        if not open_connections.has_room(peer.host):
            return None
        protocol = super().buildProtocol(peer)
        protocol.requestFactory = BoundedRequest
        return protocol


class BoundedWebSocketProtocol(WebSocketProtocol):  # type: ignore[misc]
    """A WebSocket that slows the application down, and limits the queue of client messages."""

    maxMessagePayloadSize: int

    def connectionMade(self) -> None:
        super().connectionMade()
        self.flow_control = FlowControl()
        # The HTTP connection was the producer until the upgrade.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.flow_control, True)

    def onConnect(self, request: Any) -> Any:
        if not request.headers.get("sec-websocket-protocol", "").isascii():
            raise ConnectionDeny(400, "Bad Request")
        return super().onConnect(request)

    def sendMessage(self, *args: Any, **kwargs: Any) -> None:
        # The limit is for clients' messages only; autobahn would apply it to ours, too.
        limit, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(*args, **kwargs)
        finally:
            self.maxMessagePayloadSize = limit

    def onPing(self, payload: bytes) -> None:
        # A client that does not read gets no pongs: they would fill memory.
        if self.flow_control.is_writable:
            super().onPing(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.application_queue.qsize() < MAX_QUEUED_MESSAGES:
            super().onMessage(payload, isBinary)
        else:
            self.serverClose(code=int(CloseCode.TOO_MANY))


def accept_compression(offers: list[Any]) -> Any:
    """Return how messages are compressed, None if the client has not offered what we can do.

    Without the context of earlier messages, which would keep some 300 KiB for each socket.
    """
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer) and offer.accept_no_context_takeover:
            return PerMessageDeflateOfferAccept(
                offer,
                request_no_context_takeover=True,
                no_context_takeover=True,
                max_message_size=MAX_MESSAGE_BYTES,
            )
    return None


class BoundedWebSocketFactory(WebSocketFactory):  # type: ignore[misc]
    """Builds WebSockets that send a close code before they drop a client."""

    protocol = BoundedWebSocketProtocol

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setProtocolOptions(failByDrop=False, perMessageCompressionAccept=accept_compression)


class BoundedServer(Server):  # type: ignore[misc]
    """Daphne's server with the classes above, for which Daphne has no settings."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            websocket_max_message_size=MAX_MESSAGE_BYTES,
            websocket_max_frame_size=MAX_MESSAGE_BYTES,
            **kwargs,
        )

    def run(self) -> None:
        daphne_server.HTTPFactory = BoundedHTTPFactory
        daphne_server.WebSocketFactory = BoundedWebSocketFactory
        tcp.Port.transport = ClientTransport
        super().run()

    def timeout_checker(self) -> None:
        """Abort stalled connections, too. Daphne calls this every two seconds."""
        open_connections.drop_stalled()
        super().timeout_checker()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await protocol.flow_control.wait()
        elif message["type"] == "http.response.body":
            await protocol.wait_until_writable()
        await super().handle_reply(protocol, message)
