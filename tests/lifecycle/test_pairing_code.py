"""Pairing codes and cancelling, with the real neonize."""

import pytest

from simulator.client import ControlError
from tests.support.application import Application, until
from tests.support.linking import decode

IDLE = 5  # web server, worker, simulator, the fork server of hosts and the spare one
NUMBERS = (f"55119876543{number}" for number in range(21, 99))


def ask(application: Application, organization: int, number: str) -> str:
    """Return the pairing code for a number."""
    answer = application.api(
        "POST", organization, "pairing-code", body={"phoneNumber": f"+{number}"}
    )
    assert (answer.status, answer.body["success"]) == (200, True)
    assert 100 < answer.body["expiresIn"] <= 160
    return str(answer.body["pairingCode"])


def test_typed_code_links_the_phone(application: Application, organization: int) -> None:
    number = next(NUMBERS)
    code = ask(application, organization, number)
    assert len(code) == 9 and code[4] == "-"
    assert ask(application, organization, number) == code, "a running attempt goes on"
    status = application.api("GET", organization, "status").body
    assert (status["state"], status["reason"]) == ("awaiting_scan", "waiting_for_entry")
    assert (status["hasQRCode"], status["connectionStatus"]) == (False, "connecting")
    assert application.api("GET", organization, "qrcode").status == 404

    application.simulator.enter_code(number, code)
    status = application.wait_for_state(organization, "connected")
    assert (status["number"], status["reason"]) == (number, "linked")
    again = application.api(
        "POST", organization, "pairing-code", body={"phoneNumber": f"+{number}"}
    )
    assert (again.status, again.body["code"]) == (409, "already_connected")
    assert code not in application.log_text()
    assert number not in application.log_text()


def test_wrong_code_may_be_typed_again(application: Application, organization: int) -> None:
    number = next(NUMBERS)
    code = ask(application, organization, number)
    with pytest.raises(ControlError):
        application.simulator.enter_code(number, "AAAA-AAAA")
    application.simulator.enter_code(number, code)
    assert application.wait_for_state(organization, "connected")["number"] == number


def test_another_number_gets_another_code(application: Application, organization: int) -> None:
    first, second = next(NUMBERS), next(NUMBERS)
    old = ask(application, organization, first)
    code = ask(application, organization, second)
    assert code != old
    with pytest.raises(ControlError):
        application.simulator.enter_code(first, old)
    application.simulator.enter_code(second, code)
    assert application.wait_for_state(organization, "connected")["number"] == second


def test_qr_code_replaces_a_typed_code(application: Application, organization: int) -> None:
    number = next(NUMBERS)
    old = ask(application, organization, number)
    code = decode(application.api("POST", organization, "reconnect"))
    with pytest.raises(ControlError):
        application.simulator.enter_code(number, old)
    application.simulator.scan(code)
    application.wait_for_state(organization, "connected")


@pytest.mark.parametrize("way", ["reconnect", "pairing-code"])
def test_cancelled_pairing_leaves_nothing_behind(own_application: Application, way: str) -> None:
    application, number = own_application, next(NUMBERS)
    organization = application.organization()
    until(lambda: len(application.processes()) == IDLE, 10, "nothing but what idles")
    code = (
        decode(application.api("POST", organization, way))
        if way == "reconnect"
        else ask(application, organization, number)
    )
    for message in ("The pairing was cancelled.", "There was no pairing to cancel."):
        answer = application.api("POST", organization, "cancel")
        assert (answer.status, answer.body) == (200, {"success": True, "message": message})
    status = application.api("GET", organization, "status").body
    assert (status["state"], status["reason"]) == ("disconnected", "pairing_cancelled")
    assert (status["desired"], status["number"]) == ("disconnected", None)
    until(lambda: not application.has_credentials(organization), 10, "no credentials")
    until(lambda: len(application.processes()) == IDLE, 10, "no process more than before")
    assert application.simulator.connections() == []
    with pytest.raises(ControlError):
        if way == "reconnect":
            application.simulator.scan(code)
        else:
            application.simulator.enter_code(number, code)
    assert decode(application.api("POST", organization, "reconnect")) != code


@pytest.mark.parametrize(
    "number", ["", "11987654321", "+5511", "+" + "9" * 30, "abc", None, 5511987654321, "+55\0"]
)
def test_invalid_number_is_refused(
    application: Application, organization: int, number: object
) -> None:
    answer = application.api("POST", organization, "pairing-code", body={"phoneNumber": number})
    assert (answer.status, answer.body["code"]) == (400, "invalid")
    assert answer.body["message"].startswith("phoneNumber")
    assert application.api("GET", organization, "status").body["state"] == "disconnected"
