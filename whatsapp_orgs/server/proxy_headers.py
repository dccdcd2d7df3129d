"""ASGI middleware: the client address behind a proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from whatsapp_orgs.server.asgi_types import Application, Receive, Scope, Send


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
    values = [value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"]
    return forwarded_address(values)


def forwarded_address(values: Sequence[bytes]) -> str | None:
    """Return the last address of X-Forwarded-For's values, or None if there is no valid one."""
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
