"""The client address behind a proxy, and 503 when the server is busy."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from whatsapp_orgs.server.busy_response import ServerBusyMiddleware
from whatsapp_orgs.server.proxy_headers import ProxyHeadersMiddleware
from whatsapp_orgs.server.request_slots import ServerBusy

PEER = ("10.0.0.1", 40000)


async def client_seen(*forwarded: bytes, peer: tuple[str, int] | None = PEER) -> Any:
    """Return the client that the application sees with these X-Forwarded-For headers."""
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    headers = [(b"x-forwarded-for", value) for value in forwarded]
    scope: Any = {"type": "http", "client": peer, "headers": headers}
    await ProxyHeadersMiddleware(application)(scope, None, None)  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ([b"203.0.113.9"], "203.0.113.9"),
        ([b"198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ([b"198.51.100.1", b"203.0.113.9"], "203.0.113.9"),
        ([b"203.0.113.9:1234"], "203.0.113.9"),
        ([b"2001:db8::1"], "2001:db8::1"),
        ([b"[2001:db8::1]:443"], "2001:db8::1"),
        ([b"fe80::1%eth0"], "fe80::1"),
        ([], PEER[0]),
        ([b""], PEER[0]),
        ([b"unknown"], PEER[0]),
        ([b"203.0.113.9, evil\r\nX: 1"], PEER[0]),
        ([b"\xff"], PEER[0]),
    ],
)
async def test_trusted_proxy_sets_the_client_by_its_last_entry(
    settings: Settings, forwarded: list[bytes], address: str
) -> None:
    settings.TRUST_PROXY = True
    assert (await client_seen(*forwarded))[0] == address


async def test_scope_of_an_ipv6_address_is_removed(settings: Settings) -> None:
    settings.TRUST_PROXY = False
    assert await client_seen(peer=("fe80::1%eth0", 40000)) == ("fe80::1", 40000)
    assert await client_seen(peer=None) is None


async def test_untrusted_header_is_ignored(settings: Settings) -> None:
    settings.TRUST_PROXY = False
    assert await client_seen(b"203.0.113.9") == PEER


@pytest.mark.parametrize("path", ["/api/v1/organizations", "/admin/"])
async def test_request_without_a_slot_gets_503(path: str) -> None:
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise ServerBusy

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "path": path, "headers": []}
    await ServerBusyMiddleware(application)(scope, None, send)  # type: ignore[arg-type]
    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] == 503
    assert int(headers[b"retry-after"]) > 0
    assert (b"json" in headers[b"content-type"]) is path.startswith("/api/")
    assert b"Try again in a few seconds" in sent[1]["body"]
