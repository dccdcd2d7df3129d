"""Addresses for machines, in front of everything else: /healthz and /readyz.

A kubelet and Docker speak plain HTTP to an IP address, without a login: Django would
refuse the host and send them to https://. So these are answered before Django hears of them,
and nothing else is. What a proxy has passed on is for people: it goes on, and finds no such page.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from whatsapp_orgs.health import CHECKS, Readiness

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = tuple[int, str, str]
"""A status, a content type and a text."""

HEALTHZ, READYZ = "/healthz", "/readyz"
PATHS = (HEALTHZ, READYZ)
METHODS = ("GET", "HEAD")
# What proxies add to a request that they pass on.
PASSED_ON = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
    | {b"x-real-ip"}
)
TEXT, JSON = "text/plain; charset=utf-8", "application/json"


class Probes:
    """ASGI middleware around the whole application; it also counts the sockets that are open."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application
        self._readiness = Readiness()
        self.open_sockets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await self._counted(scope, receive, send)
        if scope["type"] != "http" or not _is_for_machines(scope):
            return await self._application(scope, receive, send)
        if scope["method"] in METHODS:
            await _say(send, scope["method"], *await self._answer(scope))
        else:
            await _say(send, scope["method"], 405, TEXT, "GET or HEAD.\n")

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.open_sockets += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self.open_sockets -= 1

    async def _answer(self, scope: Scope) -> Answer:
        if scope["path"] == HEALTHZ:
            return 200, TEXT, "ok\n"
        return await self._ready(scope)

    async def _ready(self, scope: Scope) -> Answer:
        """`?exclude=worker` leaves a check out, as Kubernetes' own probes do."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        left_out = query.get("exclude", [])
        found = await self._readiness.look(name for name in CHECKS if name not in left_out)
        ready = all(found.values())
        told = {name: "ok" if well else "failed" for name, well in found.items()}
        body = json.dumps({"ready": ready, "checks": told}) + "\n"
        return 200 if ready else 503, JSON, body


def _is_for_machines(scope: Scope) -> bool:
    return scope["path"] in PATHS and not any(name in PASSED_ON for name, _ in scope["headers"])


async def _say(send: Send, method: str, status: int, kind: str, text: str) -> None:
    body = text.encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
