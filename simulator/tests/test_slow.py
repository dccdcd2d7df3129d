"""Tests of neonize that take half a minute or more; they run with SIMULATOR_SLOW=1."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator

from .companions import companion, link

pytestmark = pytest.mark.skipif(
    os.environ.get("SIMULATOR_SLOW") != "1", reason="waits for minutes; set SIMULATOR_SLOW=1"
)


@pytest.mark.parametrize("kind", ["silence", "no_pong"])
def test_unanswered_pings_emit_keep_alive_events(
    simulator: Simulator, database: Path, kind: str
) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm(kind, number=number)
        alice.wait("KeepAliveTimeout", seconds=45)
        simulator.control.clear_faults()
        alice.wait("KeepAliveRestored", seconds=45)


@pytest.mark.parametrize("kind", ["silence", "no_logout_answer"])
def test_unanswered_logout_fails_and_keeps_the_device(
    simulator: Simulator, database: Path, kind: str
) -> None:
    jid, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm(kind, number=number)
        alice.send_command("logout")
        alice.wait("error", seconds=90)
        assert [device["jid"] for device in simulator.control.devices()] == [jid]


def test_no_server_hello_raises(simulator: Simulator, database: Path) -> None:
    simulator.control.arm("no_server_hello", count=1)
    with companion(simulator, database) as alice:
        alice.wait("raised", seconds=30)


def test_late_server_hello_raises(simulator: Simulator, database: Path) -> None:
    simulator.control.arm("slow_handshake", ms=25_000, count=1)
    with companion(simulator, database) as alice:
        alice.wait("raised", seconds=30)


def test_next_codes_follow_a_passkey_request(simulator: Simulator, database: Path) -> None:
    simulator.control.set_refs(2)
    simulator.control.arm("passkey", count=1)
    with companion(simulator, database) as alice:
        with pytest.raises(ControlError):
            simulator.control.scan(alice.wait("qr")["text"])
        assert alice.wait("login_status", 2)["status"] == "passkey-request"
        alice.wait("qr", 25, forbidden=("login_status",))
        assert alice.wait("login_status", 25)["status"] == "timeout"


def test_refresh_renews_the_deadline_of_a_code(simulator: Simulator, database: Path) -> None:
    simulator.control.set_refs(1)
    with companion(simulator, database) as alice:
        alice.wait("qr")
        time.sleep(18)
        simulator.control.arm("notification", type="companion_reg_refresh")
        shown = alice.wait("qr", 5)["at"]
        # Without a new deadline, the connection would end 35 s after its first code.
        ended = alice.wait("login_status", 30)
    assert ended["status"] == "timeout"
    assert 19 < ended["at"] - shown < 22


def test_qr_loop_times_out_after_the_last_code(simulator: Simulator, database: Path) -> None:
    simulator.control.set_refs(2)
    with companion(simulator, database) as alice:
        assert alice.wait("qr")["text"] != alice.wait("qr", seconds=25)["text"]
        assert alice.wait("login_status", seconds=25)["status"] == "timeout"
