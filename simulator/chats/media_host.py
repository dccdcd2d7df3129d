"""The media host behind the proxy: HTTP/1.1 for uploads and downloads."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from simulator.certificates import MEDIA_HOST
from simulator.faults import Fault, Faults
from simulator.transport import status_line

from .media import MAX_BYTES, MediaStore, token_of

log = logging.getLogger(__name__)

MEDIA_TARGET = f"{MEDIA_HOST}:443"
_IDLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class AnyClient:
    """A target of faults that nothing is known about."""

    id: str = ""
    number: str = ""


class MediaHost:
    """Serves the connections to the media host."""

    def __init__(self, store: MediaStore, faults: Faults, tls: ssl.SSLContext) -> None:
        self._store = store
        self._faults = faults
        self._tls = tls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection after its CONNECT request, until the client closes it."""
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await writer.start_tls(self._tls)
            while True:
                async with asyncio.timeout(_IDLE_SECONDS):
                    status, body = await self._answer(reader)
                writer.write(_head(status, len(body)) + body)
                await writer.drain()
        except (OSError, EOFError, ssl.SSLError, TimeoutError, asyncio.LimitOverrunError) as error:
            log.debug("media connection ended: %s", error)

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        pairs = (line.partition(":") for line in head[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        size = headers.get("content-length", "0")
        if not size.isdecimal() or int(size) > MAX_BYTES:
            raise EOFError("the upload is too large or has no size")
        body = await reader.readexactly(int(size))
        path = urlsplit(target).path
        if method == "POST":
            return self._upload(path, body)
        if method == "GET":
            return self._download(path)
        return (200, b"") if method == "DELETE" else (405, b"")

    def _upload(self, path: str, body: bytes) -> tuple[int, bytes]:
        if fault := self._fault("upload"):
            return fault.integer("status"), b""
        if unquote(path.rpartition("/")[2]) != token_of(body):
            return 400, b""
        direct_path = self._store.add(body)
        url = f"https://{MEDIA_HOST}{direct_path}"
        return 200, json.dumps({"url": url, "direct_path": direct_path}).encode()

    def _download(self, path: str) -> tuple[int, bytes]:
        if fault := self._fault("download"):
            return fault.integer("status"), b""
        data = self._store.get(path)
        return (200, data) if data is not None else (404, b"")

    def _fault(self, switch: str) -> Fault | None:
        return self._faults.take("media_error", AnyClient(), switch)


def _head(status: int, size: int) -> bytes:
    return f"HTTP/1.1 {status_line(status)}\r\nContent-Length: {size}\r\n\r\n".encode()
