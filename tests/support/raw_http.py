"""HTTP and WebSocket clients that send arbitrary bytes."""

from __future__ import annotations

import os
import socket
import struct
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from tests.support.application import Application

SECONDS = 30.0
TEXT, BINARY, CLOSE, CONTINUATION = 1, 2, 8, 0
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
}


@dataclass
class RawResponse:
    """The response until the server closed the connection."""

    status: int
    head: bytes
    body: bytes
    seconds: float


class RawConnection:
    """A connection to a running product. `source`: the client's address, on loopback."""

    def __init__(self, application: Application, source: str = "") -> None:
        parts = urlsplit(application.url)
        self.host = parts.netloc
        self._socket = socket.create_connection(
            (parts.hostname, parts.port), SECONDS, (source, 0) if source else None
        )
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(self, first_line: str, body: bytes = b"", **headers: str) -> RawResponse:
        """Send a request of these parts, without validation. Returns the response."""
        self.send(self.head(first_line, **{"Connection": "close", **headers}) + body)
        return self.rest()

    def head(self, first_line: str, **headers: str) -> bytes:
        named = {"Host": self.host} | {name.replace("_", "-"): of for name, of in headers.items()}
        lines = [f"{first_line} HTTP/1.1", *(f"{name}: {of}" for name, of in named.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def wait_for(self, text: bytes) -> bytes:
        """Receive until the server has sent this. Returns all of it. Raises TimeoutError."""
        while text not in self._received:
            self._receive()
        return self._received

    def rest(self) -> RawResponse:
        """Receive until the server closes the connection. Raises TimeoutError."""
        started = time.monotonic()
        try:
            while data := self._socket.recv(65536):
                self._received += data
        except ConnectionError:
            pass  # Dropped; use the data received so far.
        head, _, body = self._received.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/") else 0
        return RawResponse(status, head, body, time.monotonic() - started)

    # --- WebSockets ------------------------------------------------------------------------------

    def open_websocket(self, path: str, token: str = "", **headers: str) -> None:
        """Upgrade to a WebSocket. Raises AssertionError if it fails."""
        key = b64encode(os.urandom(16)).decode()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.send(self.head(f"GET {path}", **UPGRADE, Sec_WebSocket_Key=key, **headers))
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    def frame(self) -> tuple[int, bytes]:
        """Receive a frame. Returns its opcode and payload."""
        operation, length = self._read_exactly(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._read_exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._read_exactly(8))
        return operation & 15, self._read_exactly(length)

    def close_code(self) -> int:
        """Receive frames until the close frame. Returns its code."""
        while True:
            operation, payload = self.frame()
            if operation == CLOSE:
                return int.from_bytes(payload[:2], "big")

    def _read_exactly(self, number: int) -> bytes:
        while len(self._received) < number:
            self._receive()
        taken, self._received = self._received[:number], self._received[number:]
        return taken

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        assert data, f"closed after {self._received!r}"
        self._received += data


def frame(
    operation: int, payload: bytes, *, last: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """Build a client's frame, with a mask of zeros."""
    length = len(payload)
    mask_bit = 0x80 if masked else 0
    data = bytes([(0x80 if last else 0) | reserved | operation])
    if length < 126:
        data += bytes([mask_bit | length])
    elif length < 65536:
        data += bytes([mask_bit | 126]) + struct.pack(">H", length)
    else:
        data += bytes([mask_bit | 127]) + struct.pack(">Q", length)
    return data + (bytes(4) if masked else b"") + payload
