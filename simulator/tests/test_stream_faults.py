"""What the real neonize does when the server ends its stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator

from .companions import companion, link, scoped

SCOPES = pytest.mark.parametrize("scope", ["connection", "number", "all"])


@SCOPES
def test_restart_is_no_disconnection(simulator: Simulator, database: Path, scope: str) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        before = simulator.control.stats()
        simulator.control.arm("stream_515", **scoped(simulator, scope, number))
        alice.wait("Connected", forbidden=("Disconnected",))
        after = simulator.control.stats()
    assert after["logins"] == before["logins"] + 1
    assert after["replaced"] == before["replaced"]


def test_restart_while_a_code_is_shown(simulator: Simulator, database: Path) -> None:
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
def test_unknown_stream_error(simulator: Simulator, database: Path, scope: str) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm("stream_error", **scoped(simulator, scope, number))
        assert alice.wait("StreamError", forbidden=("Disconnected",))["Code"] == "500"
        alice.wait("Disconnected")
        alice.wait("Connected")


def test_stream_error_on_a_socket_that_stays_open(simulator: Simulator, database: Path) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm("stream_error", number=number, code=516, close=0)
        assert alice.wait("StreamError")["Code"] == "516"
        alice.tell("state")
        state = alice.wait("state", forbidden=("Disconnected",))
        assert (state["connected"], state["logged_in"]) == (True, False)
        assert [c["state"] for c in simulator.control.connections()] == ["online"]
        simulator.control.drop()
        alice.wait("Disconnected")
        alice.wait("Connected")
