"""Known lines of the Go library's log become events; all others are ignored."""

from __future__ import annotations

import pytest

from connections.worker.child.library_log import parse_line

CLIENT, RECEIVED, SENT = "Client", "Client/Recv", "Client/Send"
REFUSED_DIAL = (
    "couldn't dial whatsapp web websocket: failed to send handshake request: "
    'Get "https://web.whatsapp.com/ws/chat": proxyconnect tcp: dial tcp 127.0.0.1:0: connect: '
    "connection refused"
)
CODES = (
    '<iq from="s.whatsapp.net" id="3061457893" type="set" xmlns="md"><pair-device>'
    "<ref>324047…</ref><ref>3240c2…</ref><ref>324011…</ref></pair-device></iq>"
)
PASSKEY = (
    '<notification from="s.whatsapp.net" id="77" t="1800000000" type="passkey_prologue_request">'
    "<passkey_request_options><!-- 210 bytes --></passkey_request_options></notification>"
)
KNOWN = [
    (CLIENT, "Successfully authenticated", {"event": "authenticated"}),
    (CLIENT, "Got 515 code, reconnecting...", {"event": "restarting"}),
    (
        CLIENT,
        f"Error reconnecting after autoreconnect sleep: {REFUSED_DIAL}",
        {"event": "relink_failed", "error": REFUSED_DIAL},
    ),
    (
        CLIENT,
        "Failed to reconnect after 515 code: first line\nsecond line",
        {"event": "relink_failed", "error": "first line\nsecond line"},
    ),
    (
        CLIENT,
        "Got 503/service_unavailable connect failure, assuming automatic reconnect will handle it",
        {"event": "failed", "reason": "503"},
    ),
    (
        CLIENT,
        "Got 500/ connect failure, assuming automatic reconnect will handle it",
        {"event": "failed", "reason": "500"},
    ),
    (
        CLIENT,
        'Temporary ban connect failure: <failure code="105" expire="60" reason="402"/>',
        {"event": "banned", "code": 105, "seconds": 60},
    ),
    (
        CLIENT,
        'Temporary ban connect failure: <failure location="frc" reason="402"/>',
        {"event": "banned", "code": 0, "seconds": 0},
    ),
    (
        CLIENT,
        "Failed to download history sync: failed to download: invalid media hmac",
        {"event": "history_failed"},
    ),
    (
        CLIENT,
        "Failed to pair device: invalid device identity HMAC in pair success message",
        {
            "event": "not_paired",
            "error": "invalid device identity HMAC in pair success message",
        },
    ),
    (
        CLIENT,
        "Ignoring message 3EB0A from 123:4@lid in 123@lid: failed to decrypt normal message: "
        "failed to get or create message keys: received message with old counter "
        "(index: 3, count: 5)",
        {"event": "repeated", "id": "3EB0A", "sender": "123:4@lid", "chat": "123@lid"},
    ),
    (
        CLIENT,
        "Ignoring message 3EB0A from 123@lid: received message with old counter",
        {"event": "repeated", "id": "3EB0A", "sender": "123@lid", "chat": "123@lid"},
    ),
    (RECEIVED, CODES, {"event": "codes", "count": 3}),
    (RECEIVED, PASSKEY, {"event": "passkey"}),
]
IGNORED = [
    (CLIENT, ""),
    (CLIENT, "Successfully paired 5511987654321:1@s.whatsapp.net"),
    (CLIENT, "Error reconnecting after autoreconnect sleep"),
    (CLIENT, "Failed to handle it: Got 515 code, reconnecting..."),
    (CLIENT, "Got logged_out connect failure, sending LoggedOut event and deleting session"),
    # An id that names another chat.
    (CLIENT, "Ignoring message A from 9@lid: received message with old counter from 1@lid: x"),
    (CLIENT, "Ignoring message A from 123@lid: event was already processed"),
    # These phrases count in stanzas only, and a stanza has no others.
    (CLIENT, CODES),
    (SENT, PASSKEY),
    (RECEIVED, "Successfully authenticated"),
    (RECEIVED, "Got 515 code, reconnecting..."),
    (RECEIVED, '<failure code="105" expire="60" reason="402"/>'),
    (RECEIVED, '<iq from="s.whatsapp.net" id="1" type="result"/>'),
    (RECEIVED, '<notification from="s.whatsapp.net" type="companion_reg_refresh"/>'),
    # Messages of people may hold any text.
    (RECEIVED, f"<message><body>{CODES}</body></message>"),
    (RECEIVED, f"<message><body>{PASSKEY}</body></message>"),
    (RECEIVED, '<notification type="text"><x type="passkey_prologue_request"/></notification>'),
]


@pytest.mark.parametrize(("module", "line", "event"), KNOWN, ids=lambda value: str(value)[:40])
def test_known_line_gives_its_event(module: str, line: str, event: dict[str, object]) -> None:
    assert parse_line(module, line) == event


@pytest.mark.parametrize(("module", "line"), IGNORED, ids=lambda value: str(value)[:40])
def test_other_line_gives_no_event(module: str, line: str) -> None:
    assert parse_line(module, line) is None


@pytest.mark.parametrize("count", [0, 1, 6, 8])
def test_codes_are_counted(count: int) -> None:
    references = "<ref>32</ref>" * count
    stanza = f'<iq id="1" type="set"><pair-device>{references}</pair-device></iq>'
    assert parse_line(RECEIVED, stanza) == {"event": "codes", "count": count}
