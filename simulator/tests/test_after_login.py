"""neonize's behaviour after a late success, and after a drop right after the login."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from simulator.process import Simulator

from .companions import companion, link, scoped

SCOPES = pytest.mark.parametrize("scope", ["number", "all"])


@SCOPES
@pytest.mark.parametrize("how", [0, 1, 503, 500])
def test_client_reconnects_immediately_after_a_drop_at_login(
    simulator: Simulator, database: Path, how: int, scope: str
) -> None:
    _, number = link(simulator, database)
    before = simulator.control.stats()["logins"]
    simulator.control.arm("drop_after_login", count=1, how=how, **scoped(simulator, scope, number))
    with companion(simulator, database) as alice:
        lost = alice.wait("Disconnected")
        connected = alice.wait("Connected")
        # whatsmeow may dispatch the dropped login's Connected only after its Disconnected.
        while simulator.control.stats()["logins"] < before + 2:
            connected = alice.wait("Connected")
        assert connected["at"] - lost["at"] < 1
    assert ("StreamError" in [event["event"] for event in alice.seen]) is (how == 500)
    assert simulator.control.stats()["logins"] == before + 2


def test_delayed_drop_after_login_disconnects_an_online_client(
    simulator: Simulator, database: Path
) -> None:
    _, number = link(simulator, database)
    simulator.control.arm("drop_after_login", number=number, count=1, ms=1500)
    with companion(simulator, database) as alice:
        connected = alice.wait("Connected", forbidden=("Disconnected",))
        lost = alice.wait("Disconnected")
        assert 1.2 < lost["at"] - connected["at"] < 2.5
        alice.wait("Connected")


def test_armed_drop_ends_every_login(simulator: Simulator, database: Path) -> None:
    _, number = link(simulator, database)
    before = simulator.control.stats()["logins"]
    simulator.control.arm("drop_after_login", number=number, ms=300)
    with companion(simulator, database) as alice:
        for _ in range(3):
            alice.wait("Disconnected")
        # whatsmeow resets its back-off at each success.
        assert simulator.control.stats()["logins"] >= before + 3
        simulator.control.clear_faults()
        time.sleep(0.5)
        assert [device["online"] for device in simulator.control.devices()] == [True]


@SCOPES
def test_client_waits_for_a_late_success(simulator: Simulator, database: Path, scope: str) -> None:
    _, number = link(simulator, database)
    simulator.control.arm("slow_success", count=1, ms=1500, **scoped(simulator, scope, number))
    with companion(simulator, database) as alice:
        ready = alice.wait("ready")
        connected = alice.wait("Connected", forbidden=("Disconnected", "raised"))
        assert 1.5 < connected["at"] - ready["at"] < 4
    assert simulator.control.faults() == []
