"""neonize's behaviour when the server ends the stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator

from .companions import companion, link, scoped

SCOPES = pytest.mark.parametrize("scope", ["connection", "number", "all"])


@SCOPES
def test_restart_emits_no_disconnected_event(
    simulator: Simulator, database: Path, scope: str
) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        before = simulator.control.stats()
        simulator.control.arm("stream_515", **scoped(simulator, scope, number))
        alice.wait("Connected", forbidden=("Disconnected",))
        after = simulator.control.stats()
    assert after["logins"] == before["logins"] + 1
    assert after["replaced"] == before["replaced"]


def test_restart_during_a_pairing_gives_new_codes(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        first = alice.wait("qr")["text"]
        (live,) = simulator.control.connections()
        simulator.control.arm("stream_515", connection=live["id"])
        second = alice.wait("qr", forbidden=("login_status",))["text"]
        with pytest.raises(ControlError) as refused:
            simulator.control.scan(first)
        assert refused.value.status == 410
        simulator.control.scan(second)
        alice.wait("Connected")


@SCOPES
def test_unknown_stream_error_disconnects_and_reconnects(
    simulator: Simulator, database: Path, scope: str
) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm("stream_error", **scoped(simulator, scope, number))
        assert alice.wait("StreamError", forbidden=("Disconnected",))["Code"] == "500"
        alice.wait("Disconnected")
        alice.wait("Connected")


def test_stream_error_without_close_keeps_the_socket_open(
    simulator: Simulator, database: Path
) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm("stream_error", number=number, code=516, close=0)
        assert alice.wait("StreamError")["Code"] == "516"
        alice.send_command("state")
        state = alice.wait("state", forbidden=("Disconnected",))
        assert (state["connected"], state["logged_in"]) == (True, False)
        assert [c["state"] for c in simulator.control.connections()] == ["online"]
        simulator.control.drop()
        alice.wait("Disconnected")
        alice.wait("Connected")
