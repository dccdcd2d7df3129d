"""Around the application: whom a request comes from, and how much it may bring."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from whatsapp_orgs.proxy_headers import BehindProxy, BoundedBodies
from whatsapp_orgs.request_places import Busy

PEER = ("10.0.0.1", 40000)


async def client_seen(*forwarded: bytes, peer: tuple[str, int] | None = PEER) -> Any:
    """The client that the application sees behind these X-Forwarded-For headers."""
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    headers = [(b"x-forwarded-for", value) for value in forwarded]
    scope: Any = {"type": "http", "client": peer, "headers": headers}
    await BehindProxy(application)(scope, None, None)  # type: ignore[arg-type]
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
async def test_behind_a_proxy_the_last_hop_counts(
    settings: Settings, forwarded: list[bytes], address: str
) -> None:
    settings.TRUST_PROXY = True
    assert (await client_seen(*forwarded))[0] == address


async def test_address_of_a_peer_loses_its_scope(settings: Settings) -> None:
    settings.TRUST_PROXY = False
    assert await client_seen(peer=("fe80::1%eth0", 40000)) == ("fe80::1", 40000)
    assert await client_seen(peer=None) is None


async def test_without_a_proxy_no_header_is_believed(settings: Settings) -> None:
    settings.TRUST_PROXY = False
    assert await client_seen(b"203.0.113.9") == PEER


async def status_of(path: str, length: bytes | None, *pieces: bytes) -> tuple[int, int]:
    """The status of a request with this body, and how much of it the application has read."""
    waiting = [
        {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1}
        for index, piece in enumerate(pieces)
    ]
    sent: list[Any] = []
    read = 0

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal read
        more = True
        while more:
            message = await receive()
            read += len(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    headers = [] if length is None else [(b"content-length", length)]
    scope: Any = {"type": "http", "path": path, "headers": headers}
    await BoundedBodies(application)(scope, receive, send)
    return sent[0]["status"], read


@pytest.mark.parametrize("path", ["/api/v1/organizations", "/admin/login/"])
async def test_a_body_is_bounded(settings: Settings, path: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert await status_of(path, b"10", b"x" * 10) == (200, 10)
    assert await status_of(path, None, b"x" * 5, b"x" * 5) == (200, 10)
    assert await status_of(path, b"11", b"x" * 11) == (413, 0)
    assert await status_of(path, b"9" * 19, b"x") == (413, 0)
    # What it says of its length need not be so, and need not be said.
    assert await status_of(path, b"5", b"x" * 5, b"x" * 6) == (413, 5)
    assert await status_of(path, None, b"x" * 11) == (413, 0)


@pytest.mark.parametrize("path", ["/api/v1/organizations", "/admin/"])
async def test_request_without_a_place_gets_503(path: str) -> None:
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise Busy

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "path": path, "headers": []}
    await BoundedBodies(application)(scope, None, send)  # type: ignore[arg-type]
    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] == 503
    assert int(headers[b"retry-after"]) > 0
    assert (b"json" in headers[b"content-type"]) is path.startswith("/api/")
    assert b"Try again in a few seconds" in sent[1]["body"]
