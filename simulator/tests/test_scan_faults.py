"""neonize's behaviour when a phone answers a code without linking."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.client import ControlError, Linked
from simulator.process import Simulator

from .companions import Companion, Scope, companion

NUMBER = "5511987654321"
MODES = pytest.mark.parametrize("mode", ["qr", "code"])


class ShownCode:
    """A companion that shows a QR code, and in the mode "code" also a typed code."""

    def __init__(self, simulator: Simulator, running: Companion, mode: str) -> None:
        self._control = simulator.control
        self._typed = ""
        self._qr = running.wait("qr")["text"]
        if mode == "code":
            running.send_command(f"code {NUMBER}")
            self._typed = running.wait("code")["code"]

    def answer(self) -> Linked:
        """Scan or type the code on the phone."""
        if self._typed:
            return self._control.enter_code(NUMBER, self._typed)
        return self._control.scan(self._qr, number=NUMBER)

    def refusal(self) -> tuple[int, str]:
        """Scan or type the code on the phone, which must fail; return status and message."""
        with pytest.raises(ControlError) as refused:
            self.answer()
        return refused.value.status, refused.value.message


@MODES
@pytest.mark.parametrize(("options", "status"), [(1, "passkey-request"), (0, "error")])
def test_passkey_request_consumes_the_code(
    simulator: Simulator, database: Path, mode: str, options: int, status: str
) -> None:
    simulator.control.arm("passkey", number=NUMBER, count=1, options=options)
    with companion(simulator, database) as alice:
        shown_code = ShownCode(simulator, alice, mode)
        assert shown_code.refusal() == (409, "the phone asks for a passkey")
        assert alice.wait("login_status")["status"] == status
        assert shown_code.refusal()[0] == {"qr": 410, "code": 404}[mode]
        # Neither status ends the library's QR loop.
        (live,) = simulator.control.connections()
        assert (live["state"], live["number"]) == ("pairing", NUMBER)
    assert simulator.control.devices() == []


@MODES
def test_phone_without_multi_device_keeps_the_code_valid(
    simulator: Simulator, database: Path, mode: str
) -> None:
    simulator.control.arm("downgrade_webclient", number=NUMBER, count=1)
    with companion(simulator, database) as alice:
        shown_code = ShownCode(simulator, alice, mode)
        assert shown_code.refusal() == (409, "the phone has no multi-device")
        status = alice.wait("login_status")["status"]
        assert status == "err-scanned-without-multidevice"
        assert shown_code.answer().number == NUMBER
        alice.wait("Connected")


@pytest.mark.parametrize("kind", ["passkey", "downgrade_webclient"])
def test_scan_fault_does_not_affect_other_phones(
    simulator: Simulator, database: Path, kind: str
) -> None:
    scopes: list[Scope] = [{"number": "5511912345678"}, {"connection": "c0"}]
    for scope in scopes:
        simulator.control.arm(kind, **scope)
    with companion(simulator, database) as alice:
        ShownCode(simulator, alice, "qr").answer()
        alice.wait("Connected")
