"""The origin rule of WebSockets: the one that Django's CSRF check has for forms."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.utils.http import is_same_domain

Scope = dict[str, Any]

DEFAULT_PORTS = {"http": 80, "https": 443}


class _Handshake(HttpRequest):
    """A handshake as a request, so that Django's settings for proxies and hosts hold for it."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope_scheme = scope.get("scheme", "ws")
        for name, value in scope["headers"]:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            # As ASGIRequest does: a second Host makes a name that no host has.
            self.META[key] = f"{self.META[key]},{text}" if key in self.META else text

    def _get_scheme(self) -> str:
        return "https" if self._scope_scheme in ("wss", "https") else "http"


def is_allowed_origin(scope: Scope) -> bool:
    """Return whether the handshake's Origin is the handshake's own or a trusted one.

    Scheme, host and port must be the same; a default port may be left out. The scheme and the host
    are those that Django sees: behind a trusted proxy, what the proxy says. CSRF_TRUSTED_ORIGINS
    holds here as for forms, its wildcards too. A handshake without an Origin is not allowed.
    """
    request = _Handshake(scope)
    try:
        origin = _normalize(request.META.get("HTTP_ORIGIN", ""))
    except ValueError:
        return False
    return origin == _own_origin(request) or any(
        _matches(origin, trusted) for trusted in settings.CSRF_TRUSTED_ORIGINS
    )


def _own_origin(request: HttpRequest) -> str | None:
    """Return the origin of pages of the host that the handshake is for, or None for no host."""
    if "HTTP_HOST" not in request.META:
        return None
    try:
        return _normalize(f"{request.scheme}://{request.get_host()}")
    except (DisallowedHost, ValueError):
        return None


def _matches(origin: str, trusted: str) -> bool:
    scheme, _, host = trusted.partition("://")
    if host.startswith("*"):
        given_scheme, _, given_host = origin.partition("://")
        return scheme == given_scheme and is_same_domain(given_host, host.lstrip("*"))
    try:
        return origin == _normalize(trusted)
    except ValueError:
        return False


def _normalize(origin: str) -> str:
    """Return "scheme://host" or "scheme://host:port". Raises ValueError for what is no origin."""
    parts = urlsplit(origin)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(origin)
    if f"{parts.scheme}://{parts.netloc}".lower() != origin.lower() or "@" in parts.netloc:
        # A path, a user name, or a spelling that only a lenient reader takes.
        raise ValueError(origin)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port in (None, DEFAULT_PORTS[parts.scheme]):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{parts.port}"
