"""Around the whole application: whom a request comes from, and the answer when it is busy."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from whatsapp_orgs.api import RETRY_SECONDS, shape
from whatsapp_orgs.server.request_places import Busy

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

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


class BusyResponses:
    """Answers 503 to a request for which no place came free in time."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._application(scope, receive, send)
        except Busy:
            await _refuse(scope, send)


async def _refuse(scope: Scope, send: Send) -> None:
    for_programs = scope["path"].startswith("/api/")
    body = json.dumps(shape("busy", BUSY)) if for_programs else BUSY
    headers = [
        (b"content-type", b"application/json" if for_programs else b"text/plain"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"%d" % RETRY_SECONDS),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
