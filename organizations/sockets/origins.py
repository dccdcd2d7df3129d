"""The origin check of WebSocket handshakes, with the same rule as Django's CSRF check for forms."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils.http import is_same_domain

Scope = dict[str, Any]

DEFAULT_PORTS = {"http": 80, "https": 443}


class _HandshakeRequest(HttpRequest):
    """A handshake as an HttpRequest, so that Django's settings for proxies and hosts apply."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope_scheme = scope.get("scheme", "ws")
        for name, value in scope["headers"]:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            # Join repeated headers as ASGIRequest does: two Host headers give an invalid host.
            self.META[key] = f"{self.META[key]},{text}" if key in self.META else text

    def _get_scheme(self) -> str:
        return "https" if self._scope_scheme in ("wss", "https") else "http"


def is_allowed_origin(scope: Scope) -> bool:
    """Return whether the handshake's Origin is this site or in CSRF_TRUSTED_ORIGINS.

    Scheme, host and port must be the same; a default port may be left out. Scheme and host are
    those that Django sees: behind a trusted proxy, the forwarded ones. CSRF_TRUSTED_ORIGINS may
    have wildcards, as for forms. A handshake without an Origin is not allowed.
    """
    request = _HandshakeRequest(scope)
    try:
        origin = _normalize(request.META.get("HTTP_ORIGIN", ""))
    except ValueError:
        return False
    return origin == _own_origin(request) or any(
        _matches(origin, trusted) for trusted in settings.CSRF_TRUSTED_ORIGINS
    )


def _own_origin(request: HttpRequest) -> str | None:
    """Return the origin of pages on the handshake's host, or None without a valid host."""
    if "HTTP_HOST" not in request.META:
        return None
    try:
        return _normalize(f"{request.scheme}://{request.get_host()}")
    except (DisallowedHost, ValueError):
        return None


def _matches(origin: str, trusted: str) -> bool:
    scheme, _, host = trusted.partition("://")
    if host.startswith("*"):
        origin_scheme, _, origin_host = origin.partition("://")
        return scheme == origin_scheme and is_same_domain(origin_host, host.lstrip("*"))
    try:
        return origin == _normalize(trusted)
    except ValueError:
        return False


def _normalize(origin: str) -> str:
    """Return "scheme://host" or "scheme://host:port". Raises ValueError for an invalid origin."""
    parts = urlsplit(origin)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(origin)
    if f"{parts.scheme}://{parts.netloc}".lower() != origin.lower() or "@" in parts.netloc:
        # A path, a username, or a notation that only a lenient parser accepts.
        raise ValueError(origin)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port in (None, DEFAULT_PORTS[parts.scheme]):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{parts.port}"
