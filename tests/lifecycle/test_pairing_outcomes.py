"""Outcomes of pairings with phones that do not link, and the next pairing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from simulator.client import ControlError
from tests.lifecycle.api_reads import attempts_of, events_of, status_of
from tests.lifecycle.test_pairing_code import ask
from tests.support.application import Application, until
from tests.support.linking import decode

NUMBERS = (f"55119810001{number:02}" for number in range(99))
# A code that came after all would come at once, as nothing is dialled for it.
QUIET_SECONDS = 3.0

UseCode = Callable[[], object]


def code_by(
    application: Application, organization: int, method: str, number: str
) -> tuple[UseCode, str]:
    """Ask for a code. Return what uses it on the phone with this number, and its connection."""
    phone = application.simulator
    if method == "qr":
        qr = decode(application.api("POST", organization, "reconnect"))
        (pairing,) = phone.connections(qr=qr)
        return lambda: phone.scan(qr, number=number), pairing["id"]
    typed = ask(application, organization, number)
    (pairing,) = phone.connections(code_for=number)
    return lambda: phone.enter_code(number, typed), pairing["id"]


@pytest.mark.parametrize("options", [1, 0], ids=["with options", "without options"])
@pytest.mark.parametrize("method", ["qr", "phone"])
def test_passkey_request_ends_the_attempt_and_the_next_one_links(
    application: Application, organization: int, method: str, options: int
) -> None:
    number = next(NUMBERS)
    use_code, connection = code_by(application, organization, method, number)
    application.simulator.arm("passkey", number=number, count=1, options=options)
    with pytest.raises(ControlError, match="passkey"):
        use_code()

    status = application.wait_for_state(organization, "action_needed")
    assert (status["reason"], status["hasQRCode"]) == ("pairing_passkey", False)
    assert "passkey" in status["sentence"] and "Passkeys" in status["nextStep"]
    (line,) = events_of(application, organization, "pairing_passkey")
    assert {line["attempt"]} == attempts_of(application, organization)

    def client_is_gone() -> bool:
        return connection not in {found["id"] for found in application.simulator.connections()}

    until(client_is_gone, 10, "the end of the client that could show another code")
    quiet_until = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < quiet_until:
        assert application.api("GET", organization, "qrcode").status == 404
        assert status_of(application, organization)["reason"] == "pairing_passkey"
        time.sleep(0.2)
    assert number not in application.log_text()

    application.simulator.clear_faults()
    code_by(application, organization, method, number)[0]()
    assert application.wait_for_state(organization, "connected")["number"] == number
    assert len(attempts_of(application, organization)) == 2


@pytest.mark.parametrize("method", ["qr", "phone"])
def test_phone_without_multi_device_keeps_the_code_and_links_with_it_later(
    application: Application, organization: int, method: str
) -> None:
    number = next(NUMBERS)
    use_code, _ = code_by(application, organization, method, number)
    application.simulator.arm("downgrade_webclient", number=number, count=1)
    with pytest.raises(ControlError, match="multi-device"):
        use_code()

    def unsupported() -> bool:
        return bool(status_of(application, organization)["reason"] == "phone_unsupported")

    until(unsupported, 10, "the reason phone_unsupported")
    status = status_of(application, organization)
    assert (status["state"], status["hasQRCode"]) == ("awaiting_scan", method == "qr")
    assert "Update WhatsApp" in status["nextStep"]
    assert len(events_of(application, organization, "phone_unsupported")) == 1

    # Asked again, the same code is shown, and it links the same phone.
    code_by(application, organization, method, number)
    use_code()
    assert application.wait_for_state(organization, "connected")["number"] == number
    assert len(attempts_of(application, organization)) == 1


@pytest.mark.parametrize("fault", ["bad_hmac", "bad_signature"])
def test_wrongly_signed_answer_to_a_typed_code_is_unverified(
    application: Application, organization: int, fault: str
) -> None:
    number = next(NUMBERS)
    use_code, _ = code_by(application, organization, "phone", number)
    application.simulator.arm(fault, number=number, count=1)
    with pytest.raises(ControlError):
        use_code()
    status = application.wait_for_state(organization, "action_needed")
    assert (status["reason"], status["detail"]) == ("pairing_unverified", "its signature is wrong")
    code_by(application, organization, "phone", number)[0]()
    assert application.wait_for_state(organization, "connected")["number"] == number
