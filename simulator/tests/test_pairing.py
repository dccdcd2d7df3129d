"""neonize links by QR code and by typed code, and resumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator

from .companions import companion, link


def test_scan_links_and_connects(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        linked = simulator.control.scan(alice.wait("qr")["text"], number="5511987654321")
        assert linked.jid == "5511987654321:1@s.whatsapp.net"
        alice.wait("Connected")
        assert simulator.control.stats()["online"] == 1


def test_killed_client_resumes(simulator: Simulator, database: Path) -> None:
    jid, _ = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected", forbidden=("qr",))
        assert [device["online"] for device in simulator.control.devices()] == [True]
        assert simulator.control.devices()[0]["jid"] == jid


def test_typed_code_links_and_wrong_ones_are_refused(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        alice.wait("qr")
        alice.send_command("code 5511987654321")
        code = alice.wait("code")["code"]
        (shown,) = simulator.control.connections(code_for="5511987654321")
        assert shown["state"] == "pairing"
        assert simulator.control.connections(code_for="5511900000000") == []
        wrong = "1" + code[1:] if code[0] != "1" else "2" + code[1:]
        for number, attempt, status in [
            ("5511987654321", wrong, 409),
            ("5511987654321", "too long for a code", 400),
            ("5511900000000", code, 404),
        ]:
            with pytest.raises(ControlError) as refused:
                simulator.control.enter_code(number, attempt)
            assert refused.value.status == status
        linked = simulator.control.enter_code("5511987654321", code)
        assert linked.jid == "5511987654321:1@s.whatsapp.net"
        alice.wait("Connected")


def test_used_and_unknown_codes_are_refused(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        code = alice.wait("qr")["text"]
        simulator.control.scan(code)
        alice.wait("Connected")
        for text, status in [(code, 410), (code.replace("2@", "2@x"), 404), ("hello", 400)]:
            with pytest.raises(ControlError) as refused:
                simulator.control.scan(text)
            assert refused.value.status == status


def test_code_of_a_closed_connection_gets_410(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        code = alice.wait("qr")["text"]
    with pytest.raises(ControlError) as refused:
        simulator.control.scan(code)
    assert refused.value.status == 410
