"""Sockets of clients that mean no good: a close code or a 4xx, and nothing changed."""

from __future__ import annotations

import json
import struct

import pytest

from tests.attacks.unchanged import HOSTILE_IDS, ask, assert_unchanged, bearer
from tests.support.application import Application, until
from tests.support.raw_http import BINARY, CONTINUATION, TEXT, UPGRADE, RawConnection, frame

__all__ = ["assert_unchanged"]

ALL = "/ws/connections/"


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://127.0.0.1.evil.example", "http://[", "\xff\xfe"),
        *("http://127.0.0.1@evil.example", "http://x:99999999", "//", "javascript:1", " "),
    ],
)
def test_socket_from_another_site_is_refused(application: Application, origin: str) -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    with RawConnection(application) as raw:
        raw.send(
            raw.head(
                f"GET {ALL}",
                **UPGRADE,
                Sec_WebSocket_Key=key,
                Origin=origin,
                Authorization=bearer(application),
            )
        )
        assert raw.rest().status in (400, 403)


@pytest.mark.parametrize("number", HOSTILE_IDS)
def test_malformed_id_is_refused(application: Application, number: str) -> None:
    with RawConnection(application) as raw:
        raw.open_websocket(f"/ws/organizations/{number}/connection/", application.facts["token"])
        assert raw.close_code() == 4404


# --- Sockets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"x" * 4097), 1009),
        (frame(TEXT, b"x" * 3000, last=False) + frame(CONTINUATION, b"x" * 3000), 1009),
        (bytes([0x81, 0xFF]) + struct.pack(">Q", 2**62) + bytes(4), 1009),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"{}", masked=False), 1002),
        (frame(TEXT, b"{}", reserved=0x40), 1002),
        (frame(5, b"{}"), 1002),
        (frame(CONTINUATION, b"{}"), 1002),
        (frame(TEXT, b"{}") * 20_000, 4429),
    ],
)
def test_malformed_frames_close_the_socket(
    application: Application, data: bytes, code: int
) -> None:
    with RawConnection(application) as raw:
        raw.open_websocket(ALL, application.facts["token"])
        assert raw.frame()[0] == TEXT
        raw.send(data)
        assert raw.close_code() == code


@pytest.mark.parametrize("payload", [b"", b"nonsense", b"{", b"\0", b'{"type": "reconnect"}'])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_client_message_only_asks_for_the_state(
    application: Application, kind: int, payload: bytes
) -> None:
    with RawConnection(application) as raw:
        raw.open_websocket(ALL, application.facts["token"])
        first = json.loads(raw.frame()[1])
        raw.send(frame(kind, payload))
        second = json.loads(raw.frame()[1])
        assert second["connections"] == first["connections"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_WebSocket_Protocol": "\xff\xfe"},
        {"Sec_WebSocket_Version": "1"},
        {"Sec_WebSocket_Key": "short"},
    ],
)
def test_malformed_handshake_is_refused(application: Application, headers: dict[str, str]) -> None:
    right = {
        **UPGRADE,
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Authorization": bearer(application),
    }
    right.pop("Sec-WebSocket-Version" if "Sec_WebSocket_Version" in headers else "", None)
    with RawConnection(application) as raw:
        raw.send(raw.head(f"GET {ALL}", **{**right, **headers}))
        assert 400 <= raw.rest().status < 500


def test_server_survives_a_client_that_disconnects(application: Application) -> None:
    with RawConnection(application) as raw:
        raw.open_websocket(ALL, application.facts["token"])
        raw.frame()
        raw.send(frame(TEXT, b"{}") * 40)
    # It left without a word; the product goes on.
    until(lambda: ask(application, "GET /admin/login/").status == 200, 10, "an answer")
