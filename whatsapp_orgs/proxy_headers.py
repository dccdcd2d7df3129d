"""Around the whole application: whom a request comes from, and how much it may bring."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from whatsapp_orgs.api import RETRY_SECONDS, shape
from whatsapp_orgs.request_places import Busy

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

TOO_LARGE = "The body is larger than this service takes."
BUSY = "The service is busy at the moment. Try again in a few seconds."


class BehindProxy:
    """With TRUST_PROXY, a client's address is what the proxy in front says it is.

    Of X-Forwarded-For that is the last entry: the proxy has added it, the others anyone can write.
    An address never has a scope ("%eth0"), which a database's column of addresses refuses.
    """

    def __init__(self, application: Any) -> None:
        self._application: Application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if settings.TRUST_PROXY and (address := _forwarded(scope)):
            client = (address, 0)
        if client and "%" in str(client[0]):
            client = (str(client[0]).partition("%")[0], *client[1:])
        scope = {**scope, "client": client}
        await self._application(scope, receive, send)


def _forwarded(scope: Scope) -> str | None:
    values = [value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"]
    if not values:
        return None
    last = values[-1].decode("latin-1").split(",")[-1].strip()
    if last.startswith("["):  # [2001:db8::1]:443
        last = last[1:].partition("]")[0]
    elif last.count(":") == 1:  # 192.0.2.1:443
        last = last.partition(":")[0]
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return None


class TooLarge(Exception):
    """A body goes on beyond what it may measure."""


class BoundedBodies:
    """Answers 413 to a body beyond DATA_UPLOAD_MAX_MEMORY_SIZE, and 503 when nobody can answer."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if _length(scope) > limit:
            return await _refuse(scope, send, 413, "too_large", TOO_LARGE)
        taken = 0

        async def bounded() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise TooLarge
            return message

        try:
            await self._application(scope, bounded, send)
        except TooLarge:
            await _refuse(scope, send, 413, "too_large", TOO_LARGE)
        except Busy:
            await _refuse(scope, send, 503, "busy", BUSY)


def _length(scope: Scope) -> int:
    """What Content-Length says; what it says wrongly, the application refuses."""
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(values[0]) if values and values[0].isdigit() and len(values[0]) < 20 else 0


async def _refuse(scope: Scope, send: Send, status: int, code: str, text: str) -> None:
    for_programs = scope["path"].startswith("/api/")
    body = json.dumps(shape(code, text)) if for_programs else text
    kind = b"application/json" if for_programs else b"text/plain"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers += [(b"retry-after", b"%d" % RETRY_SECONDS), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
