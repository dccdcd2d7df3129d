"""What the errors of the Go library say about a message."""

from __future__ import annotations

import pytest

from connections.worker.child.go_errors import SendFailure, call_error, cause_of, send_failure

pytestmark = pytest.mark.sqlite_only

NOT_SENT = {
    "no LID found for 5511987654321@s.whatsapp.net from server": "not_on_whatsapp",
    "failed to send message node: websocket not connected": "not_connected",
    "failed to get device list: failed to send usync query: websocket not connected": (
        "not_connected"
    ),
    "failed to get user info for 5511987654321@s.whatsapp.net to fill LID cache: failed to send"
    " usync query: info query timed out": "timed_out",
    "failed to get device list: websocket disconnected before info query returned response": (
        "not_connected"
    ),
    "the store doesn't contain a device JID": "not_connected",
    "client is nil": "stopped",
    "message recipient must be a user JID with no device part": "failed",
    "failed to send message node: frame too large (got 20000000 bytes, max 16777216 bytes)": (
        "failed"
    ),
}
MAYBE_SENT = {
    "timed out waiting for message send response": "timed_out",
    "websocket disconnected before message send returned response": "lost",
    "websocket disconnected before message send (retry) returned response": "lost",
    "websocket not connected": "lost",
    "failed to send message node: write tcp 10.0.0.1:1: broken pipe": "lost",
    "something new": "failed",
}


@pytest.mark.parametrize("text", NOT_SENT)
def test_message_that_never_left_is_not_maybe_sent(text: str) -> None:
    assert send_failure(text) == SendFailure(NOT_SENT[text])


@pytest.mark.parametrize("text", MAYBE_SENT)
def test_message_whose_frame_may_have_left_is_maybe_sent(text: str) -> None:
    assert send_failure(text) == SendFailure(MAYBE_SENT[text], maybe_sent=True)


@pytest.mark.parametrize("code", [400, 463, 479])
def test_refused_message_has_the_code(code: int) -> None:
    assert send_failure(f"server returned error {code}") == SendFailure("refused", code=code)


def test_unknown_receipt_is_no_refused_login() -> None:
    assert cause_of("proto: required field neonize.Receipt.Type not set") == "receipt"
    assert cause_of("proto: required field neonize.ConnectFailure.Reason not set") == "answer"


def test_other_call_keeps_only_a_cause_without_numbers() -> None:
    assert call_error("failed to query 5511987654321: info query timed out") == "timed_out"
    assert call_error("websocket not connected") == "not_connected"
    assert call_error("5511987654321 is unknown") == "failed"
