"""Clients that mean no good, against the running product: a clear answer, and nothing changed."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from tests.attacks.unchanged import HOSTILE_IDS, ask, assert_unchanged, bearer
from tests.support.application import Application
from tests.support.raw_http import RawConnection

__all__ = ["assert_unchanged"]

pytestmark = pytest.mark.servers

TOO_LARGE = 2**20 + 1


# --- Addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", HOSTILE_IDS)
def test_malformed_id_is_refused(application: Application, number: str) -> None:
    path = f"/api/v1/organizations/{number}/whatsapp"
    for call in ("GET {}/status", "POST {}/reconnect", "DELETE {}/disconnect", "GET {}/qrcode.png"):
        heard = ask(application, call.format(path), Authorization=bearer(application))
        assert heard.status in (400, 404), call
        assert b"X-Evil" not in heard.head
        assert json.loads(heard.body)["success"] is False


@pytest.mark.parametrize("number", HOSTILE_IDS)
def test_malformed_id_in_the_admin_is_refused(application: Application, number: str) -> None:
    heard = ask(application, f"GET /admin/connections/connection/{number}/change/")
    # Whoever is not logged in is sent to the login, which gives nothing away.
    assert heard.status in (302, 404)
    assert b"\r\nX-Evil" not in heard.head
    if heard.status == 302:
        assert b"Location: /admin/login/?next=/" in heard.head


@pytest.mark.parametrize(
    "line",
    [
        "GET /admin/\xff",
        "GET /api/v1/organizations?page=\xff",
        "GET  /admin/",
        "GET /admin/ x",
        "\x16\x03\x01",
        "GET",
    ],
)
def test_malformed_request_line_is_refused(application: Application, line: str) -> None:
    heard = ask(application, line)
    assert heard.status == 400


@pytest.mark.parametrize(
    "query", ["page=%00", "page=%ff", "limit=%0d%0aX-Evil:1", "a=" + "x" * 9000]
)
def test_hostile_query_gets_a_client_error_or_a_page(application: Application, query: str) -> None:
    line = f"GET /api/v1/organizations?{query}"
    heard = ask(application, line, Authorization=bearer(application))
    assert heard.status in (200, 400, 404)
    assert b"X-Evil" not in heard.head


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1@evil.example", "127.0.0.1:x", "localhost, evil.example", ""]
)
def test_unknown_host_is_refused(application: Application, host: str) -> None:
    heard = ask(application, "GET /admin/login/", Host=host)
    assert heard.status in (400, 302, 200) if host == "" else heard.status == 400
    assert b"evil" not in heard.head


def test_forged_identity_headers_are_ignored(application: Application) -> None:
    heard = ask(
        application,
        "GET /admin/",
        Daphne_Root_Path="//evil.example",
        X_Forwarded_Host="evil.example",
        X_Forwarded_For="203.0.113.9",
        X_Forwarded_Proto="https",
        X_Script_Name="/evil",
    )
    assert heard.status == 302
    assert b"Location: /admin/login/?next=/admin/\r\n" in heard.head
    assert b"evil" not in heard.head + heard.body


@pytest.mark.parametrize("value", ["a\0b", "a\rb", "a\x7fb\0"])
def test_invalid_header_characters_are_refused(application: Application, value: str) -> None:
    heard = ask(application, "GET /admin/login/", X_Header=value)
    assert heard.status == 400


def test_oversized_headers_are_refused(application: Application) -> None:
    heard = ask(application, "GET /admin/login/", X_Header="a" * 100_000)
    assert heard.status in (0, 400)


@pytest.mark.parametrize(
    "token", ["", " ", "x", "wao_" + "0" * 64, "ÿþ", "wao_" + "0" * 9000, "a b"]
)
def test_wrong_tokens_are_refused(application: Application, token: str) -> None:
    heard = ask(application, "GET /api/v1/organizations", Authorization=f"Bearer {token}")
    assert heard.status == 401
    assert json.loads(heard.body)["success"] is False


# --- Bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"phoneNumber": "\xff"}',
        b"[]",
        b"null",
        b'"text"',
        b"1e999",
        b'{"phoneNumber": {}}',
        b'{"phoneNumber": "\\u0000"}',
        b'{"phoneNumber": "+5511\\r\\nX-Evil: 1"}',
        b'{"phoneNumber": "' + b"9" * 100_000 + b'"}',
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b'{"phoneNumber": ' + b"9" * 10_000 + b"}",
    ],
)
def test_malformed_body_is_refused(application: Application, body: bytes) -> None:
    path = f"/api/v1/organizations/{application.organization()}/whatsapp/pairing-code"
    length, kind = str(len(body)), "application/json"
    heard = ask(
        application,
        f"POST {path}",
        body,
        Content_Length=length,
        Content_Type=kind,
        Authorization=bearer(application),
    )
    assert heard.status == (400 if len(body) < 65536 else 413), heard.body
    assert json.loads(heard.body)["success"] is False


@pytest.mark.parametrize("path", ["/api/v1/organizations/", "/admin/login/", "/nowhere"])
def test_oversized_body_is_refused(application: Application, path: str) -> None:
    # Not sent: saying so is enough. A server that waited for it would wait for ever.
    heard = ask(application, f"POST {path}", Content_Length=str(TOO_LARGE))
    assert heard.status == 413


def test_endless_chunked_body_is_refused(application: Application) -> None:
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with RawConnection(application) as raw:
        raw.send(raw.head("POST /admin/login/", Transfer_Encoding="chunked") + piece * 17)
        assert raw.rest().status == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Length": "-1"},
        {"Content_Length": "abc"},
        {"Content_Length": "5, 6"},
        {"Transfer_Encoding": "chunked, chunked"},
        {"Transfer_Encoding": "chunked", "Content_Length": "5"},
    ],
)
def test_body_of_ambiguous_length_is_refused(
    application: Application, headers: dict[str, str]
) -> None:
    assert ask(application, "POST /admin/login/", b"zz\r\n", **headers).status == 400


def test_requests_that_never_end_are_dropped(application: Application) -> None:
    host = urlsplit(application.url).netloc
    beginnings = [
        "GET /adm",
        "GET /admin/ HTTP/1.1\r\nHost: 127.",
        f"POST /admin/login/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\nab",
        "",
    ]
    clients = [RawConnection(application) for _ in beginnings]
    for client, beginning in zip(clients, beginnings, strict=True):
        client.send(beginning.encode())
    for client in clients:
        assert client.rest().seconds < 25
        client.__exit__()
    assert ask(application, "GET /admin/login/").status == 200


# --- Other sites ----------------------------------------------------------------------------------


def test_form_of_another_site_is_refused(application: Application) -> None:
    body = b"username=admin&password=x"
    form = "application/x-www-form-urlencoded"
    heard = ask(
        application,
        "POST /admin/login/",
        body,
        Content_Length=str(len(body)),
        Content_Type=form,
        Origin="https://evil.example",
    )
    assert heard.status == 403
