"""The transport between client and simulator: CONNECT, TLS, WebSocket and frames."""

from __future__ import annotations

import asyncio
import logging
import ssl
from asyncio import sslproto
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from .certificates import HOST
from .noise import PROLOGUE

TARGET = f"{HOST}:443"
PATH = "/ws/chat"
READ_LIMIT = 1 << 20
_MAX_HEAD = 16_384
_MAX_FRAME = 1 << 20
_MAX_UNSENT = 4 << 20
_ROUTING = b"ED\x00\x01"

# asyncio allocates a read buffer of 256 KiB per TLS connection: 256 MB for a thousand clients.
sslproto.SSLProtocol.max_size = 16_384

# At debug level, websockets would log the payloads.
_quiet = logging.getLogger("simulator.websocket")
_quiet.setLevel(logging.ERROR)


class TransportError(Exception):
    """The client disconnected, or broke the protocol below the Noise layer."""


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A CONNECT request. `target`: the requested host:port; `proxy`: what it came through."""

    target: str
    proxy: str = ""


async def read_proxy_request(reader: asyncio.StreamReader) -> ProxyRequest:
    """Read a CONNECT request. Raises TransportError for anything else."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
        raise TransportError("no proxy request") from error
    request_line = head.split(b"\r\n", 1)[0].decode("latin-1").split()
    if len(head) > _MAX_HEAD or len(request_line) != 3 or request_line[0] != "CONNECT":
        raise TransportError("only CONNECT is served")
    return ProxyRequest(request_line[1])


def status_line(status: int) -> str:
    """Return a status with its standard phrase; Go shows nothing else of a refusal to a client."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Refused"


class Channel:
    """A WebSocket over TLS that carries length-prefixed frames."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        before_write: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._before_write = before_write
        self._unflushed = 0
        self._protocol = ServerProtocol(max_size=_MAX_FRAME, logger=_quiet)
        self._incoming = bytearray()
        self._frames: list[bytes] = []
        self._first = True

    @property
    def backlog(self) -> int:
        """Return how many bytes wait because the client does not read, or for the next flush."""
        return self._unflushed + self._writer.transport.get_write_buffer_size()

    def answer_proxy_request(self, status: str) -> None:
        """Answer the proxy request with a status line such as `200 Connection established`."""
        headers = "" if status.startswith("200") else "Content-Length: 0\r\n"
        if status.startswith("407"):
            headers += 'Proxy-Authenticate: Basic realm="proxy"\r\n'
        self._writer.write(f"HTTP/1.1 {status}\r\n{headers}\r\n".encode())

    async def secure(self, context: ssl.SSLContext) -> None:
        """Run the server's side of the TLS handshake. Raises TransportError."""
        try:
            await self._writer.start_tls(context)
        except (OSError, ssl.SSLError, EOFError) as error:
            raise TransportError("TLS failed") from error

    async def upgrade(self, refusal: int | None = None) -> bool:
        """Answer the WebSocket upgrade, or refuse it with the HTTP status `refusal`.

        Returns whether the WebSocket is open. Raises TransportError for an invalid request.
        """
        request: object = None
        while not isinstance(request, Request):
            request = next(iter(await self._events()), None)
        if refusal is not None:
            response: Response = self._protocol.reject(refusal, "Unavailable\n")
        elif request.path.partition("?")[0].rstrip("/") != PATH:
            response = self._protocol.reject(404, "Not found\n")
        else:
            response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._flush()
        return response.status_code == 101

    async def receive(self) -> bytes:
        """Return the next frame from the client. Raises TransportError at the end."""
        while not self._frames:
            for event in await self._events():
                if isinstance(event, Frame) and event.opcode in (Opcode.BINARY, Opcode.CONT):
                    self._incoming += event.data
            self._frames.extend(self._split())
            if not self._frames and self._protocol.close_expected():
                raise TransportError("the client closed")
        return self._frames.pop(0)

    def send(self, frame: bytes) -> None:
        """Queue one frame; abort the connection of a client that does not read.

        The frames of one turn of the event loop are written together, with one system call.
        """
        try:
            self._protocol.send_binary(len(frame).to_bytes(3, "big") + frame)
        except WebSocketException as error:
            raise TransportError("the WebSocket is closing") from error
        if not self._unflushed:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unflushed += len(frame)
        if self.backlog > _MAX_UNSENT:
            self.abort()

    def close(self, code: int = 1000) -> None:
        """Send a WebSocket Close frame."""
        try:
            self._protocol.send_close(code)
        except WebSocketException as error:
            raise TransportError("the WebSocket is closing") from error
        self._flush()

    def abort(self) -> None:
        """Close the TCP connection now; what was sent before may still arrive."""
        self._flush()
        self._writer.transport.abort()

    async def finish(self) -> None:
        """Close the TCP connection after the queued data is sent."""
        self._flush()
        try:
            self._writer.close()
            await self._writer.wait_closed()
        except (OSError, ssl.SSLError):
            self.abort()

    async def _events(self) -> list[object]:
        try:
            data = await self._reader.read(65_536)
        except (OSError, ssl.SSLError) as error:
            raise TransportError("the connection broke") from error
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._flush()
        events: list[object] = list(self._protocol.events_received())
        if not events and (not data or self._protocol.close_expected()):
            raise TransportError("the client closed")
        if self._protocol.handshake_exc is not None:
            raise TransportError("not a WebSocket request")
        return events

    def _split(self) -> Iterator[bytes]:
        buffer = self._incoming
        if self._first:
            if not _skip_prologue(buffer):
                return
            self._first = False
        while len(buffer) >= 3 and len(buffer) >= 3 + (size := int.from_bytes(buffer[:3], "big")):
            yield bytes(buffer[3 : 3 + size])
            del buffer[: 3 + size]

    def _flush(self) -> None:
        self._unflushed = 0
        data = b"".join(self._protocol.data_to_send())
        if data and not self._writer.transport.is_closing():
            self._before_write()
            self._writer.write(data)


def _skip_prologue(buffer: bytearray) -> bool:
    """Remove the prologue before the first frame; return False if it is incomplete."""
    start = 0
    if buffer.startswith(_ROUTING):
        start = 7 + int.from_bytes(buffer[4:7], "big")
    if len(buffer) < start + len(PROLOGUE):
        return False
    if buffer[start : start + len(PROLOGUE)] != PROLOGUE:
        raise TransportError("unknown protocol version")
    del buffer[: start + len(PROLOGUE)]
    return True
