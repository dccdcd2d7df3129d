"""Outermost ASGI middleware: the client address behind a proxy, and 503 when the server is busy."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from whatsapp_orgs.api import RETRY_SECONDS, error_body
from whatsapp_orgs.server.request_slots import ServerBusy

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BUSY_MESSAGE = "The service is busy at the moment. Try again in a few seconds."


class ProxyHeadersMiddleware:
    """Takes the client address from X-Forwarded-For if TRUST_PROXY is set.

    Only the last entry counts: the proxy adds it, and anyone can write the others. The scope of an
    IPv6 address ("%eth0") is removed, because a database column for addresses refuses it.
    """

    def __init__(self, application: Any) -> None:
        self._application: Application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if settings.TRUST_PROXY and (address := _forwarded_address(scope)):
            client = (address, 0)
        if client and "%" in str(client[0]):
            client = (str(client[0]).partition("%")[0], *client[1:])
        scope = {**scope, "client": client}
        await self._application(scope, receive, send)


def _forwarded_address(scope: Scope) -> str | None:
    """Return the last address of X-Forwarded-For, or None if there is no valid one."""
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


class ServerBusyMiddleware:
    """Answers 503 to a request that got no slot in time."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._application(scope, receive, send)
        except ServerBusy:
            await _send_busy(scope, send)


async def _send_busy(scope: Scope, send: Send) -> None:
    is_api = scope["path"].startswith("/api/")
    body = json.dumps(error_body("busy", BUSY_MESSAGE)) if is_api else BUSY_MESSAGE
    headers = [
        (b"content-type", b"application/json" if is_api else b"text/plain"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"%d" % RETRY_SECONDS),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
