"""Origins that may open a WebSocket: the handshake's own and the trusted ones."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from organizations.sockets.origins import is_allowed_origin

HTTP, HTTPS = "http", "https"

OWN = [
    (HTTP, "localhost", "http://localhost"),
    (HTTP, "localhost:80", "http://localhost"),
    (HTTP, "localhost", "http://localhost:80"),
    (HTTP, "LOCALHOST", "http://localhost"),
    (HTTP, "localhost:8000", "http://localhost:8000"),
    (HTTP, "[::1]:8000", "http://[::1]:8000"),
    (HTTPS, "localhost", "https://localhost"),
    (HTTPS, "localhost:443", "https://localhost"),
    (HTTPS, "localhost", "https://localhost:443"),
]
FOREIGN = [
    (HTTP, "localhost:8000", "http://localhost:8001"),
    (HTTP, "localhost:8000", "http://localhost"),
    (HTTP, "localhost", "http://localhost:8000"),
    (HTTP, "localhost", "http://localhost:443"),
    (HTTP, "localhost", "https://localhost"),
    (HTTPS, "localhost", "http://localhost"),
    (HTTPS, "localhost", "http://localhost:443"),
    (HTTPS, "localhost", "https://localhost:80"),
    # Hosts in ALLOWED_HOSTS that are not the handshake's host.
    (HTTP, "localhost", "http://127.0.0.1"),
    (HTTP, "localhost", "http://page.localhost"),
    (HTTP, "localhost", "http://localhost.evil.example"),
    (HTTP, "evil.example", "http://evil.example"),
    (HTTP, "localhost", "null"),
    (HTTP, "localhost", ""),
    (HTTP, "localhost", "localhost"),
    (HTTP, "localhost", "http://"),
    (HTTP, "localhost", "http://["),
    (HTTP, "localhost", "http://localhost/"),
    (HTTP, "localhost", "http://local\thost"),
    (HTTP, "localhost", "http://user@localhost"),
    (HTTP, "localhost", "http://localhost:99999999"),
    (HTTP, "localhost", "ws://localhost"),
    (HTTP, "localhost", "http://localhost,http://localhost"),
]
TRUSTED = [
    "https://orgs.example.com",
    "https://orgs.example.com:443",
    "https://other.example.com:8443",
    "https://page.tenants.example.com",
    "https://a.page.tenants.example.com:443",
]
NOT_TRUSTED = [
    "http://orgs.example.com",
    "https://orgs.example.com:8443",
    "https://other.example.com",
    "https://page.orgs.example.com",
    "http://page.tenants.example.com",
    "https://page.tenants.example.com:8443",
    "https://eviltenants.example.com",
]


@pytest.fixture(autouse=True)
def behind_proxy(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", ".localhost"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def allowed(host: str, *origins: str, proto: str = HTTP, scheme: str = "ws") -> bool:
    headers = [(b"host", host.encode()), (b"x-forwarded-proto", proto.encode())]
    headers += [(b"origin", origin.encode("latin-1")) for origin in origins]
    return is_allowed_origin({"type": "websocket", "scheme": scheme, "headers": headers})


@pytest.mark.parametrize(("proto", "host", "origin"), OWN)
def test_own_origin_is_allowed(proto: str, host: str, origin: str) -> None:
    assert allowed(host, origin, proto=proto)


@pytest.mark.parametrize(("proto", "host", "origin"), FOREIGN)
def test_other_origin_is_refused(proto: str, host: str, origin: str) -> None:
    assert not allowed(host, origin, proto=proto)


def test_two_origin_or_host_headers_are_refused() -> None:
    assert not allowed("localhost", "http://localhost", "https://evil.example")
    headers = [(b"host", b"localhost"), (b"host", b"localhost"), (b"origin", b"http://localhost")]
    assert not is_allowed_origin({"type": "websocket", "headers": headers})


def test_handshake_without_host_or_origin_is_refused() -> None:
    assert not allowed("localhost")
    headers = [(b"origin", b"http://localhost")]
    assert not is_allowed_origin({"type": "websocket", "headers": headers})


def test_forwarded_scheme_counts_only_from_a_trusted_proxy(settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    assert not allowed("localhost", "https://localhost", proto=HTTPS)
    assert allowed("localhost", "http://localhost", proto=HTTPS)


def test_scheme_without_a_proxy_is_that_of_the_socket(settings: Settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = None
    assert allowed("localhost", "https://localhost", scheme="wss")
    assert not allowed("localhost", "http://localhost", scheme="wss")


@pytest.mark.parametrize("origin", [*TRUSTED, *NOT_TRUSTED])
def test_trusted_origins_are_those_of_forms(settings: Settings, origin: str) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [
        "https://orgs.example.com",
        "https://other.example.com:8443",
        "https://*.tenants.example.com",
    ]
    assert allowed("localhost", origin) is (origin in TRUSTED)
