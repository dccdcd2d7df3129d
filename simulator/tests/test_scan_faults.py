"""What the real neonize does when a phone answers for it, but does not link it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.client import ControlError, Linked
from simulator.process import Simulator

from .companions import Companion, Scope, companion

NUMBER = "5511987654321"
MODES = pytest.mark.parametrize("mode", ["qr", "code"])


class Asked:
    """A companion that shows a QR code, and in the mode `code` one to type as well."""

    def __init__(self, simulator: Simulator, running: Companion, mode: str) -> None:
        self._control = simulator.control
        self._typed = ""
        self._qr = running.wait("qr")["text"]
        if mode == "code":
            running.tell(f"code {NUMBER}")
            self._typed = running.wait("code")["code"]

    def answer(self) -> Linked:
        """Scan or type the code on the phone."""
        if self._typed:
            return self._control.enter_code(NUMBER, self._typed)
        return self._control.scan(self._qr, number=NUMBER)

    def refusal(self) -> tuple[int, str]:
        """Scan or type the code on the phone, which must fail; returns the status and sentence."""
        with pytest.raises(ControlError) as refused:
            self.answer()
        return refused.value.status, refused.value.message


@MODES
@pytest.mark.parametrize(("options", "status"), [(1, "passkey-request"), (0, "error")])
def test_passkey_request_uses_the_code_up(
    simulator: Simulator, database: Path, mode: str, options: int, status: str
) -> None:
    simulator.control.arm("passkey", number=NUMBER, count=1, options=options)
    with companion(simulator, database) as alice:
        asked = Asked(simulator, alice, mode)
        assert asked.refusal() == (409, "the phone asks for a passkey")
        assert alice.wait("login_status")["status"] == status
        assert asked.refusal()[0] == {"qr": 410, "code": 404}[mode]
        # The library goes on waiting: neither status ends its QR loop.
        (live,) = simulator.control.connections()
        assert (live["state"], live["number"]) == ("pairing", NUMBER)
    assert simulator.control.devices() == []


@MODES
def test_phone_without_multi_device_leaves_the_code_valid(
    simulator: Simulator, database: Path, mode: str
) -> None:
    simulator.control.arm("downgrade_webclient", number=NUMBER, count=1)
    with companion(simulator, database) as alice:
        asked = Asked(simulator, alice, mode)
        assert asked.refusal() == (409, "the phone has no multi-device")
        status = alice.wait("login_status")["status"]
        assert status == "err-scanned-without-multidevice"
        assert asked.answer().number == NUMBER
        alice.wait("Connected")


@pytest.mark.parametrize("kind", ["passkey", "downgrade_webclient"])
def test_scan_fault_spares_other_phones(simulator: Simulator, database: Path, kind: str) -> None:
    scopes: list[Scope] = [{"number": "5511912345678"}, {"connection": "c0"}]
    for scope in scopes:
        simulator.control.arm(kind, **scope)
    with companion(simulator, database) as alice:
        Asked(simulator, alice, "qr").answer()
        alice.wait("Connected")
