"""The real neonize is linked by QR code, and resumes."""

from __future__ import annotations

from pathlib import Path

from simulator.process import Simulator

from .companions import companion, link


def test_links_by_qr_and_connects(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        linked = simulator.control.scan(alice.wait("qr")["text"], number="5511987654321")
        assert linked.jid == "5511987654321:1@s.whatsapp.net"
        alice.wait("Connected")
        assert simulator.control.stats()["online"] == 1


def test_resumes_after_kill(simulator: Simulator, database: Path) -> None:
    jid, _ = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected", forbidden=("qr",))
        assert [device["online"] for device in simulator.control.devices()] == [True]
        assert simulator.control.devices()[0]["jid"] == jid
