"""ASGI middleware for /healthz, /readyz and /metrics, in front of Django.

A kubelet, Docker and Prometheus send plain HTTP to an IP address, without a login: Django would
refuse the host or redirect to https://. Requests that a proxy has forwarded go on to Django, which
has no such page, except for /metrics with the token.
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

from monitoring.health import CHECKS, DATABASE, Readiness, SingleFlight

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Response = tuple[int, str, str]
"""A status, a content type and a text."""

HEALTHZ, READYZ, METRICS = "/healthz", "/readyz", "/metrics"
PATHS = (HEALTHZ, READYZ, METRICS)
METHODS = ("GET", "HEAD")
# Headers that proxies add to forwarded requests.
FORWARDING_HEADERS = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
    | {b"x-real-ip"}
)
# Prometheus waits for ten seconds by default.
READ_SECONDS = 8.0
LOCAL_ONLY = "Without METRICS_TOKEN, only http://127.0.0.1/metrics on this machine answers.\n"
TOKEN_REQUIRED = "Send METRICS_TOKEN as a bearer token.\n"
TEXT, JSON = "text/plain; charset=utf-8", "application/json"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class HealthMiddleware:
    """Answers the three paths, and counts the open WebSockets."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application
        self._readiness = Readiness()
        self._metrics_read: SingleFlight[Any] | None = None
        self.open_sockets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await self._count_socket(scope, receive, send)
        if scope["type"] != "http" or not _is_handled(scope):
            return await self._application(scope, receive, send)
        if scope["method"] in METHODS:
            await _send_response(send, scope["method"], *await self._respond(scope))
        else:
            await _send_response(send, scope["method"], 405, TEXT, "GET or HEAD.\n")

    async def _count_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.open_sockets += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self.open_sockets -= 1

    async def _respond(self, scope: Scope) -> Response:
        if scope["path"] == HEALTHZ:
            return 200, TEXT, "ok\n"
        if scope["path"] == READYZ:
            return await self._readyz(scope)
        if _may_read_metrics(scope):
            return await self._metrics()
        return (401, TEXT, TOKEN_REQUIRED) if settings.METRICS_TOKEN else (403, TEXT, LOCAL_ONLY)

    async def _readyz(self, scope: Scope) -> Response:
        """Return the readiness. `?exclude=worker` omits a check, as Kubernetes' own probes do."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        excluded = query.get("exclude", [])
        passed_by_name = await self._readiness.check(
            name for name in CHECKS if name not in excluded
        )
        ready = all(passed_by_name.values())
        results = {name: "ok" if passed else "failed" for name, passed in passed_by_name.items()}
        body = json.dumps({"ready": ready, "checks": results}) + "\n"
        return 200 if ready else 503, JSON, body

    async def _metrics(self) -> Response:
        # Imported late: only processes that are scraped need its memory.
        from monitoring import exposition

        if self._metrics_read is None:
            reader = exposition.MetricsReader()
            self._metrics_read = SingleFlight(lambda: self._readiness.in_thread(reader.read))
        checks = await self._readiness.check()
        read = None
        if checks[DATABASE]:
            try:
                read = await self._metrics_read.within(READ_SECONDS)
            except (DatabaseError, InterfaceError, TimeoutError) as error:
                logger.error("the metrics could not be read", extra={"why": type(error).__name__})
        return 200, EXPOSITION, exposition.text(checks, self.open_sockets, read)


def _is_handled(scope: Scope) -> bool:
    if scope["path"] not in PATHS:
        return False
    return not _is_forwarded(scope) or (scope["path"] == METRICS and _has_token(scope))


def _is_forwarded(scope: Scope) -> bool:
    return any(name in FORWARDING_HEADERS for name, _ in scope["headers"])


def _may_read_metrics(scope: Scope) -> bool:
    """Return whether the request has the token or, if none is set, is a local one."""
    if settings.METRICS_TOKEN:
        return _has_token(scope)
    client, host = scope.get("client"), _header(scope, b"host")
    # A local proxy without forwarding headers still sends the site's name as the Host.
    return client is not None and _is_loopback(client[0]) and _is_loopback(_hostname(host))


def _has_token(scope: Scope) -> bool:
    token = settings.METRICS_TOKEN.encode()
    header = _header(scope, b"authorization")
    return bool(token) and hmac.compare_digest(header, b"Bearer " + token)


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for found, value in scope["headers"] if found == name), b"")


def _hostname(host: bytes) -> str:
    """Return the host of a Host header without its port."""
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


async def _send_response(send: Send, method: str, status: int, kind: str, text: str) -> None:
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
