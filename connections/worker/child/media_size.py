"""Asks WhatsApp's media host how large a file really is, before the Go library downloads it.

The library reads a download into memory without a limit, and the size in a message is only what
its sender says. A host process that runs out of memory ends the links of all its organizations.
"""

from __future__ import annotations

import base64
import http.client
import io
import os
import ssl
import time
from typing import Any

from connections.worker.child import ca_bundle
from connections.worker.child.routes import MEDIA_HOST
from outbound import tunnel

ORIGIN = "https://web.whatsapp.com"
SECONDS, READ_SECONDS = 15.0, 60.0
CHUNK_BYTES = 64 * 1024
# The host's files are encrypted: they end with up to 16 bytes of padding and 10 of a checksum.
OVERHEAD_BYTES = 26


class MediaGone(Exception):
    """The host does not have the file any more."""


def real_size(part: Any, media_type: str, limit: int, proxy: str = "") -> int:
    """Return about how many bytes a message's media has.

    `part`: the media message. `limit`: above it, the number may be too small, but not below it.
    `proxy`: the one that the library uses for media. Raises MediaGone, OSError.
    """
    path = part.directPath
    if not path.startswith("/") or any(letter <= " " or letter > "~" for letter in path):
        raise OSError("this is no path on the media host")
    checksum = base64.urlsafe_b64encode(part.fileEncSHA256).decode()
    target = f"{path}&hash={checksum}&mms-type={media_type}&__wa-mms="
    stream = _open(proxy)
    try:
        return max(0, _length_at(stream, target, limit + OVERHEAD_BYTES) - OVERHEAD_BYTES)
    except http.client.HTTPException as failure:
        raise OSError("the media host's answer cannot be read") from failure
    finally:
        stream.close()


def _open(proxy: str) -> tunnel.Stream:
    """Return a connection to the media host. Raises OSError."""
    try:
        used = tunnel.Proxy.parse(proxy) if proxy else None
    except ValueError as error:
        raise OSError(str(error)) from None
    return tunnel.connect(used, MEDIA_HOST, 443, _trusted_roots(), SECONDS)


def _length_at(stream: tunnel.Stream, target: str, limit: int) -> int:
    """Return the length of the answer to GET. Raises MediaGone, OSError, HTTPException."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {MEDIA_HOST}", "Connection: close"]
    lines += [f"Origin: {ORIGIN}", f"Referer: {ORIGIN}/", "Accept-Encoding: identity"]
    stream.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = http.client.HTTPResponse(_Readable(stream))  # type: ignore[arg-type]
    answer.begin()
    if answer.status in (403, 404, 410):
        raise MediaGone
    if answer.status != 200:  # Redirects too: the path of a file comes from a stranger.
        raise OSError("the media host refuses")
    return length_of(answer, limit)


class _Readable(io.RawIOBase):
    """Makes a stream readable for http.client, which asks a socket for a file."""

    def __init__(self, stream: tunnel.Stream) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def length_of(answer: Any, limit: int) -> int:
    """Return the length of an HTTP answer; of one that does not say it, by reading up to `limit`.

    Raises OSError.
    """
    if (length := answer.headers.get("Content-Length", "")).isdecimal():
        return int(length)
    deadline = time.monotonic() + READ_SECONDS
    read = 0
    while read <= limit and (chunk := answer.read(CHUNK_BYTES)):
        read += len(chunk)
        if time.monotonic() > deadline:
            raise OSError("the media host is too slow")
    return read


def _trusted_roots() -> ssl.SSLContext:
    """Return a context with the same roots as Go (ca_bundle.py)."""
    bundle = next((str(path) for path in ca_bundle.BUNDLES if path.is_file()), None)
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or bundle)
