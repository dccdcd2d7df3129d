"""neonize's behaviour at notifications, mainly at a registration refresh."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.phone import read_code
from simulator.process import Simulator

from .companions import Companion, companion, link, scoped

NUMBER = "5511987654321"


def refreshed(simulator: Simulator, running: Companion) -> tuple[str, str]:
    """Refresh a companion at its first code; return that code and the next one."""
    first = running.wait("qr")
    (live,) = simulator.control.connections()
    simulator.control.arm("notification", connection=live["id"], type="companion_reg_refresh")
    second = running.wait("qr", 5, forbidden=("login_status",))
    return first["text"], second["text"]


def test_refresh_keeps_the_reference_and_changes_the_secret(
    simulator: Simulator, database: Path
) -> None:
    with companion(simulator, database) as alice:
        old, new = map(read_code, refreshed(simulator, alice))
        assert (new.ref, new.noise_key, new.identity) == (old.ref, old.noise_key, old.identity)
        assert new.adv_secret != old.adv_secret


def test_code_from_before_a_refresh_is_refused(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        old, _ = refreshed(simulator, alice)
        with pytest.raises(ControlError) as refused:
            simulator.control.scan(old, number=NUMBER)
        assert (refused.value.status, refused.value.message) == (409, "hmac-mismatch")
        assert alice.wait("login_status")["status"] == "error"


def test_code_from_after_a_refresh_links(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        _, new = refreshed(simulator, alice)
        simulator.control.scan(new, number=NUMBER)
        # The event is emitted only after the QR loop has ended.
        alice.wait("RotateADVSecret", forbidden=("Connected",))
        alice.wait("Connected")


def test_typed_code_stays_valid_after_a_refresh(simulator: Simulator, database: Path) -> None:
    with companion(simulator, database) as alice:
        alice.wait("qr")
        alice.send_command(f"code {NUMBER}")
        code = alice.wait("code")["code"]
        simulator.control.arm("notification", type="companion_reg_refresh")
        alice.wait("qr", 5)
        simulator.control.enter_code(NUMBER, code)
        alice.wait("Connected")


@pytest.mark.parametrize("scope", ["connection", "number", "all"])
def test_refresh_keeps_an_online_client_connected(
    simulator: Simulator, database: Path, scope: str
) -> None:
    _, number = link(simulator, database)
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        simulator.control.arm("notification", **scoped(simulator, scope, number))
        alice.wait("RotateADVSecret", forbidden=("Disconnected",))
        simulator.control.drop()
        alice.wait("Connected")


def test_unknown_notification_does_not_affect_a_pairing(
    simulator: Simulator, database: Path
) -> None:
    with companion(simulator, database) as alice:
        code = alice.wait("qr")["text"]
        simulator.control.arm("notification", type="something_new")
        simulator.control.scan(code, number=NUMBER)
        alice.wait("Connected")
    assert [event["event"] for event in alice.seen].count("qr") == 1
