"""Descriptions of the library's connection errors, and the ends of bans."""

from __future__ import annotations

import pytest
from django.utils import timezone

from connections.lifecycle import Reason
from connections.worker.tasks.event_mapping import (
    Retryable,
    describe_dial_error,
    dial_failure,
    failure_of,
)

GET = 'failed to send handshake request: Get "https://web.whatsapp.com/ws/chat": '
DIALLED = f"failed to dial whatsapp web websocket: failed to WebSocket dial: {GET}"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("Proxy Authentication Required", "the proxy answered with HTTP status 407"),
        ("Forbidden", "the proxy answered with HTTP status 403"),
        ("Bad Gateway", "the proxy answered with HTTP status 502"),
        ("Service Unavailable", "the proxy answered with HTTP status 503"),
        ("Blocked by policy", "the proxy refused: Blocked by policy"),
        ("<b>No\x1b[31m</b> http//user@host", "the proxy refused: bNo31mb httpuserhost"),
        ("x" * 200, f"the proxy refused: {'x' * 60}"),
        ("user:secret@host", ""),
        (
            "proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused",
            "the proxy cannot be reached",
        ),
        (
            "proxyconnect tcp: dial tcp: lookup proxy.example on 127.0.0.53:53: no such host",
            "the proxy cannot be reached",
        ),
        (
            "proxyconnect tcp: dial tcp 192.0.2.1:3128: i/o timeout",
            "the proxy cannot be reached",
        ),
        (
            "dial tcp: lookup web.whatsapp.com on 127.0.0.53:53: no such host",
            "its name cannot be looked up (DNS)",
        ),
        (
            "dial tcp: lookup web.whatsapp.com on 127.0.0.53:53: server misbehaving",
            "its name cannot be looked up (DNS)",
        ),
        ("dial tcp 192.0.2.1:443: i/o timeout", "it did not answer"),
        ("dial tcp 192.0.2.1:443: connect: connection refused", "the connection was refused"),
        ("dial tcp [2001:db8::1]:443: connect: network is unreachable", "there is no route to it"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "its certificate is not trusted",
        ),
        ("EOF", "the connection was cut"),
        (
            "read tcp 10.0.0.2:5->192.0.2.1:443: read: connection reset by peer",
            "the connection was cut",
        ),
    ],
    ids=lambda value: value[:60],
)
def test_dial_error_has_a_description(error: str, message: str) -> None:
    assert describe_dial_error(DIALLED + error) == message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (f"{DIALLED}EOF", Reason.UNREACHABLE),
        # The server's proxy: WhatsApp has said nothing.
        (f"{DIALLED}Service Unavailable", Reason.UNREACHABLE),
        (f"{DIALLED}dial tcp 192.0.2.1:443: i/o timeout", Reason.UNREACHABLE),
        ("expected handshake response status code 101 but got 503", Reason.UNAVAILABLE),
    ],
)
def test_only_an_answer_of_whatsapp_is_its_error(error: str, reason: Reason) -> None:
    assert dial_failure(error, proxied=False).observation == reason


def test_refused_websocket_names_its_http_status() -> None:
    error = "failed to WebSocket dial: expected handshake response status code 101 but got 503"
    assert describe_dial_error(error) == "it answered with HTTP status 503"
    assert describe_dial_error("something that nobody has seen yet") == ""


@pytest.mark.parametrize(("said", "seconds"), [(5, 5), (3600, 3600), (0, 60), (10**10, 5_184_000)])
def test_ban_ends_when_whatsapp_says(said: int, seconds: int) -> None:
    before = timezone.now()
    ban = failure_of({"event": "banned", "code": 105, "seconds": said})
    assert isinstance(ban, Retryable) and ban.until is not None
    assert ban.observation == Reason.TEMPORARILY_BANNED
    assert seconds <= (ban.until - before).total_seconds() < seconds + 5
