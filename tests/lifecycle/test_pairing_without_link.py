"""Ends of pairings without a link, and the next pairing."""

import pytest

from simulator.client import ControlError
from tests.support.application import Application, until
from tests.support.linking import decode

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("fault", ["bad_hmac", "bad_signature"])
def test_wrongly_signed_answer_is_unverified(
    application: Application, organization: int, fault: str
) -> None:
    code = decode(application.api("POST", organization, "reconnect"))
    application.simulator.arm(fault, count=1)
    with pytest.raises(ControlError):
        application.simulator.scan(code)
    status = application.wait_for_state(organization, "action_needed")
    assert (status["reason"], status["hasQRCode"]) == ("pairing_unverified", False)
    assert status["detail"] == "its signature is wrong"
    assert decode(application.api("POST", organization, "reconnect")) != code


def test_drop_during_a_code_gives_a_new_code(application: Application, organization: int) -> None:
    code = decode(application.api("POST", organization, "reconnect"))
    (pairing,) = application.simulator.connections(qr=code)
    application.simulator.drop(connection=pairing["id"])

    def another() -> str:
        answer = application.api("GET", organization, "qrcode")
        shown = decode(answer) if answer.status == 200 else ""
        return shown if shown != code else ""

    application.simulator.scan(until(another, 15, "another code"))
    application.wait_for_state(organization, "connected")


def test_unscanned_codes_expire(own_application: Application) -> None:
    organization = own_application.organization()
    own_application.simulator.set_refs(1)  # which whatsmeow shows for 20 s
    code = decode(own_application.api("POST", organization, "reconnect"))
    status = own_application.wait_for_state(organization, "action_needed", seconds=30)
    assert status["reason"] == "codes_expired"
    missing = own_application.api("GET", organization, "qrcode")
    assert missing.body["code"] == "client_not_found"
    assert decode(own_application.api("POST", organization, "reconnect")) != code


def test_unanswered_logout_ends_anyway(
    own_application: Application,
) -> None:
    organization = own_application.organization()
    code = decode(own_application.api("POST", organization, "reconnect"))
    number = own_application.simulator.scan(code).number
    own_application.wait_for_state(organization, "connected")
    own_application.simulator.arm("silence", number=number)
    gone = own_application.api("DELETE", organization, "disconnect")
    assert gone.status == 200
    assert "WhatsApp could not be told" in gone.body["message"]
    assert not own_application.has_credentials(organization)


@pytest.mark.parametrize("action", [("POST", "cancel"), ("DELETE", "disconnect")], ids=str)
def test_cancel_after_the_scan_leaves_nothing_linked(
    application: Application, organization: int, action: tuple[str, str]
) -> None:
    number = "5511970001234" if action[1] == "cancel" else "5511970001235"
    code = decode(application.api("POST", organization, "reconnect"))
    application.simulator.arm("mute_login", number=number, count=1)
    application.simulator.scan(code, number=number)

    def reason() -> str:
        return str(application.api("GET", organization, "status").body["reason"])

    until(lambda: reason() == "finishing", 10, "a link that is being finished")
    # The silence is for the phone's own login, not for the one that unlinks it again.
    until(lambda: not application.simulator.faults(), 10, "a login that is not answered")
    application.api(action[0], organization, action[1])

    def linked() -> bool:
        return any(device["number"] == number for device in application.simulator.devices())

    until(lambda: not linked(), 15, "WhatsApp told to forget the device")
    assert application.api("GET", organization, "status").body["state"] == "disconnected"
    until(
        lambda: not application.has_credentials(organization),
        10,
        "no credentials left",
    )
