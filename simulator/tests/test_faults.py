"""neonize's behaviour with faults."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator

from .companions import Scope, companion, link

NUMBER = "5511987654321"


@pytest.mark.parametrize("kind", ["drop", "websocket_close", "stream_503"])
def test_client_reconnects_after_a_lost_connection(
    simulator: Simulator, database: Path, kind: str
) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm(kind, number=number)
        alice.wait("Disconnected")
        alice.wait("Connected")


def test_drop_call_aborts_the_connection(simulator: Simulator, database: Path) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        assert simulator.control.drop(number=number) == 1
        alice.wait("Disconnected")
        alice.wait("Connected")


@pytest.mark.parametrize("kind", ["refuse", "refuse_tcp", "http_503"])
def test_refused_connect_raises(simulator: Simulator, database: Path, kind: str) -> None:
    link(simulator, database)
    simulator.control.arm(kind, count=1)
    with companion(simulator, database) as alice:
        alice.wait("raised")
    assert simulator.control.faults() == []
    assert simulator.control.stats()["refused"] >= 1


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (403, "Forbidden"),
        (407, "Proxy Authentication Required"),
        (502, "Bad Gateway"),
        (599, "Refused"),
    ],
)
def test_refused_connect_shows_the_phrase_of_the_status(
    simulator: Simulator, database: Path, status: int, phrase: str
) -> None:
    link(simulator, database)
    simulator.control.arm("refuse", count=1, status=status)
    with companion(simulator, database) as alice:
        why = alice.wait("raised")["why"]
    assert phrase in why
    assert str(status) not in why


@pytest.mark.parametrize(
    ("reason", "event", "fields"),
    [
        (401, "LoggedOut", {"OnConnect": True}),
        (402, "TemporaryBan", {"Code": 2, "Expire": 90}),
        (403, "LoggedOut", {"OnConnect": True}),
        (406, "LoggedOut", {"OnConnect": True}),
        (400, "ConnectFailure", {}),
        (405, "ClientOutdated", {}),
        (409, "ConnectFailure", {}),
        (501, "ConnectFailure", {}),
    ],
)
def test_refused_login_emits_the_event_of_its_reason(
    simulator: Simulator, database: Path, reason: int, event: str, fields: dict[str, int]
) -> None:
    link(simulator, database)
    simulator.control.arm("failure", reason=reason, code=102, expire=90)
    with companion(simulator, database) as alice:
        got = alice.wait(event, forbidden=("Connected", "Disconnected"))
        assert {name: got[name] for name in fields} == fields


@pytest.mark.parametrize("reason", [500, 503])
def test_client_retries_after_an_outage_at_login(
    simulator: Simulator, database: Path, reason: int
) -> None:
    link(simulator, database)
    simulator.control.arm("failure", reason=reason, count=1)
    with companion(simulator, database) as alice:
        alice.wait("Disconnected")
        alice.wait("Connected")


@pytest.mark.parametrize("reason", [500, 503])
def test_client_retries_until_a_long_outage_is_over(
    simulator: Simulator, database: Path, reason: int
) -> None:
    _, number = link(simulator, database)
    (before,) = simulator.control.logins(number)
    # Cleared by the test: the time of the first attempt depends on the machine.
    fault = simulator.control.arm("failure", number=number, reason=reason, seconds=60)
    with companion(simulator, database) as alice:
        for _ in range(3):
            alice.wait("Disconnected", forbidden=("Connected",))
        simulator.control.clear_faults(fault)
        alice.wait("Connected")
    (after,) = simulator.control.logins(number)
    assert after["logins"] == before["logins"] + 1
    assert after["attempts"] >= before["attempts"] + 4


@pytest.mark.parametrize(("reason", "end"), [(501, "ConnectFailure"), (599, "raised")])
def test_client_does_not_retry_after_a_permanent_failure(
    simulator: Simulator, database: Path, reason: int, end: str
) -> None:
    _, number = link(simulator, database)
    (before,) = simulator.control.logins(number)
    simulator.control.arm("failure", number=number, reason=reason, seconds=60)
    with companion(simulator, database) as alice:
        alice.wait(end, forbidden=("Disconnected", "Connected"))
        time.sleep(3)
    (after,) = simulator.control.logins(number)
    assert after["attempts"] == before["attempts"] + 1
    simulator.control.clear_faults()
    with companion(simulator, database) as alice:
        alice.wait("Connected", forbidden=("qr",))


def test_logged_out_session_gets_a_new_qr(simulator: Simulator, database: Path) -> None:
    link(simulator, database)
    simulator.control.arm("failure", reason=401, count=1)
    with companion(simulator, database) as alice:
        alice.wait("LoggedOut")
        time.sleep(0.5)  # neonize deletes the session after the event
    with companion(simulator, database) as alice:
        alice.wait("qr", forbidden=("Connected",))


def test_replaced_fault_emits_stream_replaced(simulator: Simulator, database: Path) -> None:
    link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm("replaced")
        alice.wait("StreamReplaced")


@pytest.mark.parametrize("scope", ["connection", "number", "all"])
@pytest.mark.parametrize(
    ("kind", "why"), [("bad_hmac", "hmac-mismatch"), ("bad_signature", "signature-mismatch")]
)
def test_invalid_answer_of_the_phone_is_refused(
    simulator: Simulator, database: Path, kind: str, why: str, scope: str
) -> None:
    with companion(simulator, database) as alice:
        code = alice.wait("qr")["text"]
        (live,) = simulator.control.connections()
        scopes: dict[str, Scope] = {
            "connection": {"connection": live["id"]},
            "number": {"number": NUMBER},
            "all": {},
        }
        simulator.control.arm(kind, count=1, **scopes[scope])
        with pytest.raises(ControlError) as refused:
            simulator.control.scan(code, number=NUMBER)
        assert (refused.value.status, refused.value.message) == (409, why)
        assert alice.wait("login_status")["status"] == "error"
    assert simulator.control.devices() == []


def test_fault_of_another_phone_does_not_affect_a_link(
    simulator: Simulator, database: Path
) -> None:
    for kind in ("bad_hmac", "bad_signature"):
        simulator.control.arm(kind, number=NUMBER)
        simulator.control.arm(kind, connection="c0")
    link(simulator, database, "5511912345678")
    assert len(simulator.control.faults()) == 4


def test_silence_leaves_the_login_pending(simulator: Simulator, database: Path) -> None:
    _, number = link(simulator, database)
    simulator.control.arm("silence", number=number)
    with companion(simulator, database) as alice:
        with pytest.raises(AssertionError):
            alice.wait("Connected", seconds=2)
        assert simulator.control.connections()[0]["state"] == "logging_in"
        simulator.control.clear_faults()
        simulator.control.drop()
        alice.wait("Connected")


def test_delay_applies_to_every_answer(simulator: Simulator, database: Path) -> None:
    _, number = link(simulator, database)
    simulator.control.arm("delay", number=number, ms=400)
    began = time.monotonic()
    with companion(simulator, database) as alice:
        alice.wait("Connected")
    # The client waits for success, prekey count and activation one after the other.
    assert time.monotonic() - began > 1.2
