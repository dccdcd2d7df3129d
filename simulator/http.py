"""A minimal HTTP/1.1 server for JSON on loopback, with one request per connection."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

log = logging.getLogger(__name__)

_READ_SECONDS = 10.0
_MAX_BODY = 8 << 20
_LOOPBACK_HOSTS = ("127.0.0.1", "localhost")

Json = dict[str, Any] | list[Any]


class HttpError(Exception):
    """A refused request: an HTTP status, and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Request:
    """A method, a path, its query, and the JSON object of the body (empty if none).

    `headers`: names in lower case; `raw`: the bytes of the body.
    """

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    headers: dict[str, str]
    raw: bytes


Handler = Callable[[Request], Awaitable[Json]]


async def serve_request(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Read one request, answer it as JSON, and close; an HttpError becomes its status."""
    status, answer = 200, {}  # type: tuple[int, Json]
    try:
        async with asyncio.timeout(_READ_SECONDS):
            request = await _read(reader)
        answer = await handler(request)
    except HttpError as error:
        status, answer = error.status, {"error": error.message}
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        status, answer = 400, {"error": "the request is cut short"}
    except OSError:
        return
    except Exception:
        log.exception("a control request failed")
        status, answer = 500, {"error": "internal error; see the log"}
    await _write(writer, status, answer)


async def _read(reader: asyncio.StreamReader) -> Request:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    request_line = lines[0].split()
    if len(request_line) != 3:
        raise HttpError(400, "not an HTTP request")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    # Refuse requests from web pages in the developer's browser.
    if headers.get("host", "").rpartition(":")[0] not in _LOOPBACK_HOSTS or "origin" in headers:
        raise HttpError(403, "only for programs on this machine")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _MAX_BODY or "transfer-encoding" in headers:
        raise HttpError(413, f"the body needs a Content-Length of at most {_MAX_BODY}")
    raw = await reader.readexactly(int(length))
    target = urlsplit(request_line[1])
    query = dict(parse_qsl(target.query))
    return Request(request_line[0], target.path, query, _object(raw), headers, raw)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise HttpError(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise HttpError(400, "the body is not a JSON object")
    return body


async def _write(writer: asyncio.StreamWriter, status: int, answer: Json) -> None:
    body = json.dumps(answer).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except OSError as error:
        log.debug("a control answer was not read: %s", error)
