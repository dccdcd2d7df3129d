"""Three addresses for machines, in front of everything else: /healthz, /readyz and /metrics.

A kubelet, Docker and Prometheus speak plain HTTP to an IP address, without a login: Django would
refuse the host and send them to https://. So these three are answered before Django hears of them,
and nothing else is. What a proxy has passed on is for people: it goes on, and finds no such page,
unless it brings the token that /metrics wants.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from monitoring.health import CHECKS, DATABASE, OneAtATime, Readiness

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = tuple[int, str, str]
"""A status, a content type and a text."""

HEALTHZ, READYZ, METRICS = "/healthz", "/readyz", "/metrics"
PATHS = (HEALTHZ, READYZ, METRICS)
METHODS = ("GET", "HEAD")
# What proxies add to a request that they pass on.
PASSED_ON = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
    | {b"x-real-ip"}
)
# Prometheus waits for ten seconds unless told otherwise.
READ_SECONDS = 8.0
NOT_FROM_HERE = "Without METRICS_TOKEN, only http://127.0.0.1/metrics on this machine answers.\n"
WANTS_TOKEN = "Send METRICS_TOKEN as a bearer token.\n"
TEXT, JSON = "text/plain; charset=utf-8", "application/json"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class HealthMiddleware:
    """ASGI middleware around the whole application; it also counts the sockets that are open."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application
        self._readiness = Readiness()
        self._figures: OneAtATime[Any] | None = None
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
        if scope["path"] == READYZ:
            return await self._ready(scope)
        if _may_read(scope):
            return await self._metrics()
        return (401, TEXT, WANTS_TOKEN) if settings.METRICS_TOKEN else (403, TEXT, NOT_FROM_HERE)

    async def _ready(self, scope: Scope) -> Answer:
        """`?exclude=worker` leaves a check out, as Kubernetes' own probes do."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        left_out = query.get("exclude", [])
        found = await self._readiness.look(name for name in CHECKS if name not in left_out)
        ready = all(found.values())
        told = {name: "ok" if well else "failed" for name, well in found.items()}
        body = json.dumps({"ready": ready, "checks": told}) + "\n"
        return 200 if ready else 503, JSON, body

    async def _metrics(self) -> Answer:
        # Only those who are asked for it have it in memory.
        from monitoring import exposition

        if self._figures is None:
            figures = exposition.Figures()
            self._figures = OneAtATime(lambda: self._readiness.in_thread(figures.read))
        checks = await self._readiness.look()
        read = None
        if checks[DATABASE]:
            try:
                read = await self._figures.within(READ_SECONDS)
            except (DatabaseError, InterfaceError, TimeoutError) as error:
                logger.error("no figures for Prometheus", extra={"why": type(error).__name__})
        return 200, EXPOSITION, exposition.text(checks, self.open_sockets, read)


def _is_for_machines(scope: Scope) -> bool:
    if scope["path"] not in PATHS:
        return False
    return not _passed_on(scope) or (scope["path"] == METRICS and _shows_token(scope))


def _passed_on(scope: Scope) -> bool:
    return any(name in PASSED_ON for name, _ in scope["headers"])


def _may_read(scope: Scope) -> bool:
    """Whoever shows the token; where none is set, who asks from this machine for this machine."""
    if settings.METRICS_TOKEN:
        return _shows_token(scope)
    client, host = scope.get("client"), _header(scope, b"host")
    # A proxy beside us that says nothing of whom it asks for passes at least the site's name on.
    return client is not None and _is_loopback(client[0]) and _is_loopback(_name_of(host))


def _shows_token(scope: Scope) -> bool:
    wanted = settings.METRICS_TOKEN.encode()
    given = _header(scope, b"authorization")
    return bool(wanted) and hmac.compare_digest(given, b"Bearer " + wanted)


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for found, value in scope["headers"] if found == name), b"")


def _name_of(host: bytes) -> str:
    """The host of a Host header, without its port."""
    try:
        return urlsplit(f"//{host.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


async def _say(send: Send, method: str, status: int, kind: str, text: str) -> None:
    body = text.encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
