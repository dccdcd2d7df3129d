"""Clients that keep to no rules: bytes over a socket, and whatever comes back."""

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
TEXT, BINARY, CLOSE, GOES_ON = 1, 2, 8, 0
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
}


@dataclass
class Heard:
    """All that the server said until it closed the connection."""

    status: int
    head: bytes
    body: bytes
    seconds: float


class Raw:
    """One connection to a running product."""

    def __init__(self, application: Application) -> None:
        parts = urlsplit(application.url)
        self.host = parts.netloc
        self._socket = socket.create_connection((parts.hostname, parts.port), SECONDS)
        self._heard = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def say(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(self, first_line: str, body: bytes = b"", **headers: str) -> Heard:
        """A request that is well-formed unless its parts are not; and its answer."""
        self.say(self.head(first_line, **{"Connection": "close", **headers}) + body)
        return self.rest()

    def head(self, first_line: str, **headers: str) -> bytes:
        named = {"Host": self.host} | {name.replace("_", "-"): of for name, of in headers.items()}
        lines = [f"{first_line} HTTP/1.1", *(f"{name}: {of}" for name, of in named.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def rest(self) -> Heard:
        """Whatever comes until the end. Raises TimeoutError when the end does not come."""
        begun = time.monotonic()
        try:
            while data := self._socket.recv(65536):
                self._heard += data
        except ConnectionError:
            pass  # It was dropped; what came before counts.
        head, _, body = self._heard.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/") else 0
        return Heard(status, head, body, time.monotonic() - begun)

    # --- WebSockets ------------------------------------------------------------------------------

    def shake_hands(self, path: str, token: str = "", **headers: str) -> None:
        """A handshake that must succeed."""
        key = b64encode(os.urandom(16)).decode()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.say(self.head(f"GET {path}", **UPGRADE, Sec_WebSocket_Key=key, **headers))
        while b"\r\n\r\n" not in self._heard:
            self._take()
        head, _, self._heard = self._heard.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    def frame(self) -> tuple[int, bytes]:
        """The next frame that the server sends: what it is, and what it says."""
        operation, length = self._exactly(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._exactly(8))
        return operation & 15, self._exactly(length)

    def close_code(self) -> int:
        """The code that the server closes with; what it tells before is passed."""
        while True:
            operation, payload = self.frame()
            if operation == CLOSE:
                return int.from_bytes(payload[:2], "big")

    def _exactly(self, number: int) -> bytes:
        while len(self._heard) < number:
            self._take()
        taken, self._heard = self._heard[:number], self._heard[number:]
        return taken

    def _take(self) -> None:
        data = self._socket.recv(65536)
        assert data, f"closed after {self._heard!r}"
        self._heard += data


def frame(
    operation: int, payload: bytes, *, last: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """A client's frame. The mask is all zeros, which is allowed and changes nothing."""
    length = len(payload)
    mark = 0x80 if masked else 0
    data = bytes([(0x80 if last else 0) | reserved | operation])
    if length < 126:
        data += bytes([mark | length])
    elif length < 65536:
        data += bytes([mark | 126]) + struct.pack(">H", length)
    else:
        data += bytes([mark | 127]) + struct.pack(">Q", length)
    return data + (bytes(4) if masked else b"") + payload
