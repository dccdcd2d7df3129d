"""Requests between a scan and the login do not end the link."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lifecycle.api_reads import attempts_of, device_numbers, events_of, status_of
from tests.lifecycle.test_pairing_code import ask as ask_for_typed_code
from tests.support.application import Answer, Application, until
from tests.support.linking import decode

NUMBERS = (f"55119810003{number:02}" for number in range(99))
OTHER_NUMBER = "5511981000399"
# RECONNECT_WAIT_SECONDS is 5: the login comes well before or after the response.
SOON_MS, LATE_MS = 4_000, 10_000
FINISHING = "The phone has accepted the code. The link is being finished."


def reconnect(application: Application, organization: int) -> Answer:
    return application.api("POST", organization, "reconnect")


def typed_code(application: Application, organization: int, number: str) -> Answer:
    body = {"phoneNumber": f"+{number}"}
    return application.api("POST", organization, "pairing-code", body=body)


@pytest.mark.parametrize("method", ["qr", "phone"])
@pytest.mark.parametrize("login_ms", [SOON_MS, LATE_MS], ids=["soon", "late"])
def test_repeated_requests_while_finishing_leave_the_phone_linked(
    application: Application, organization: int, method: str, login_ms: int
) -> None:
    number = next(NUMBERS)
    if method == "qr":
        code = decode(reconnect(application, organization))
    else:
        code = ask_for_typed_code(application, organization, number)
    application.simulator.arm("slow_success", number=number, count=1, ms=login_ms)
    if method == "qr":
        application.simulator.scan(code, number=number)
    else:
        application.simulator.enter_code(number, code)

    def is_finishing() -> bool:
        return bool(status_of(application, organization)["reason"] == "finishing")

    until(is_finishing, 5, "a link that is being finished")
    status = status_of(application, organization)
    assert (status["state"], status["hasQRCode"]) == ("connecting", False)
    missing = application.api("GET", organization, "qrcode")
    assert (missing.status, missing.body["code"]) == (404, "qr_not_available")

    with ThreadPoolExecutor(3) as pool:
        by_qr = pool.submit(reconnect, application, organization)
        same_phone = pool.submit(typed_code, application, organization, number)
        other_phone = pool.submit(typed_code, application, organization, OTHER_NUMBER)
    answers = [by_qr.result(), same_phone.result(), other_phone.result()]
    for answer, field in zip(answers, ("qrCode", "pairingCode", "pairingCode"), strict=True):
        assert "endedAttempt" not in answer.body
        if login_ms == SOON_MS:
            assert (answer.status, answer.body[field]) == (200, None), answer
        else:
            assert (answer.status, answer.body["message"]) == (202, FINISHING), answer

    connected = application.wait_for_state(organization, "connected")
    assert (connected["number"], connected["reason"]) == (number, "linked")
    assert device_numbers(application).count(number) == 1
    assert OTHER_NUMBER not in device_numbers(application)
    assert len(attempts_of(application, organization)) == 1
    for event in ("reconnect_requested", "pairing_started", "code_accepted", "linked"):
        assert len(events_of(application, organization, event)) == 1, event


def test_switched_method_names_the_ended_attempt(
    application: Application, organization: int
) -> None:
    number = next(NUMBERS)
    assert "endedAttempt" not in reconnect(application, organization).body
    assert "endedAttempt" not in reconnect(application, organization).body
    (by_qr,) = attempts_of(application, organization)

    switched = typed_code(application, organization, number)
    assert switched.status == 200
    assert switched.body["endedAttempt"] == {"id": by_qr, "method": "qr"}
    assert "endedAttempt" not in typed_code(application, organization, number).body
    (by_phone,) = attempts_of(application, organization) - {by_qr}

    back = reconnect(application, organization)
    assert back.body["endedAttempt"] == {"id": by_phone, "method": "phone"}
    assert "endedAttempt" not in reconnect(application, organization).body
    application.simulator.scan(decode(back), number=number)
    assert application.wait_for_state(organization, "connected")["number"] == number
    assert len(attempts_of(application, organization)) == 3
