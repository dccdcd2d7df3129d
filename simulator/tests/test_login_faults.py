"""neonize's behaviour with faults at the handshake and the login."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from simulator.process import Simulator

from .companions import companion, link, scoped

SCOPES = pytest.mark.parametrize("scope", ["number", "all"])


def wait_until_faults_are_used(simulator: Simulator, seconds: float = 10.0) -> None:
    """Wait until all armed faults have reached their count."""
    deadline = time.monotonic() + seconds
    while armed := simulator.control.faults():
        assert time.monotonic() < deadline, armed
        time.sleep(0.05)


@SCOPES
def test_client_retries_after_an_aborted_login(
    simulator: Simulator, database: Path, scope: str
) -> None:
    _, number = link(simulator, database)
    simulator.control.arm("cut_login", count=1, **scoped(simulator, scope, number))
    before = simulator.control.stats()["logins"]
    with companion(simulator, database) as alice:
        alice.wait("Disconnected", forbidden=("Connected",))
        alice.wait("Connected")
    assert simulator.control.stats()["logins"] == before + 1


@SCOPES
def test_unanswered_login_stays_pending_until_the_drop(
    simulator: Simulator, database: Path, scope: str
) -> None:
    _, number = link(simulator, database)
    simulator.control.arm("mute_login", count=1, **scoped(simulator, scope, number))
    with companion(simulator, database) as alice:
        wait_until_faults_are_used(simulator)
        (live,) = simulator.control.connections()
        assert (live["state"], live["number"]) == ("logging_in", number)
        alice.send_command("state")
        state = alice.wait("state", forbidden=("Connected", "Disconnected", "raised"))
        assert state["logged_in"] is False
        simulator.control.drop(number=number)
        alice.wait("Disconnected", forbidden=("Connected",))
        alice.wait("Connected")


@pytest.mark.parametrize(
    ("reason", "code", "missing"),
    [(599, 0, "ConnectFailure.Reason"), (402, 199, "TemporaryBan.Code")],
)
def test_unknown_failure_reason_raises(
    simulator: Simulator, database: Path, reason: int, code: int, missing: str
) -> None:
    link(simulator, database)
    simulator.control.arm("failure", reason=reason, code=code)
    with companion(simulator, database) as alice:
        raised = alice.wait("raised", forbidden=("ConnectFailure", "TemporaryBan"))
        assert missing in raised["why"]


def test_failure_413_aborts_the_process(simulator: Simulator, database: Path) -> None:
    link(simulator, database)
    simulator.control.arm("failure", reason=413)
    with companion(simulator, database) as alice:
        # whatsmeow calls an unset (nil) function that refreshes Messenger's token.
        assert alice.wait_for_end(10) == -signal.SIGABRT
    assert "handleConnectFailure" in database.with_suffix(".log").read_text()


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (401, "err-unexpected-state"),
        (402, "err-unexpected-state"),
        (405, "err-client-outdated"),
        (503, "timeout"),
        (599, "err-unexpected-state"),
    ],
)
def test_refused_pairing_ends_the_qr_loop(
    simulator: Simulator, database: Path, reason: int, status: str
) -> None:
    before = simulator.control.stats()
    simulator.control.arm("failure", reason=reason, pairing=1, count=1)
    with companion(simulator, database) as alice:
        assert alice.wait("login_status", forbidden=("qr",))["status"] == status
    after = simulator.control.stats()
    assert after["login_failures"] == before["login_failures"] + 1
    assert after["qr_refs_issued"] == before["qr_refs_issued"]
    with companion(simulator, database) as alice:
        alice.wait("qr")


def test_pairing_failure_applies_to_logins_too(simulator: Simulator, database: Path) -> None:
    link(simulator, database)
    simulator.control.arm("failure", reason=405, pairing=1)
    with companion(simulator, database) as alice:
        alice.wait("ClientOutdated", forbidden=("Connected",))


def test_login_failure_does_not_apply_to_pairings(simulator: Simulator, database: Path) -> None:
    simulator.control.arm("failure", reason=405)
    with companion(simulator, database) as alice:
        simulator.control.scan(alice.wait("qr")["text"])
        alice.wait("ClientOutdated", forbidden=("Connected",))


def test_slow_handshake_delays_the_first_code(simulator: Simulator, database: Path) -> None:
    simulator.control.arm("slow_handshake", ms=1500, count=1)
    began = time.monotonic()
    with companion(simulator, database) as alice:
        alice.wait("qr")
    assert time.monotonic() - began > 1.5
    assert simulator.control.faults() == []
