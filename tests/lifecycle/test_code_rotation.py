"""Codes that WhatsApp replaces early, and sets of codes that are smaller than usual."""

from __future__ import annotations

import time

import pytest

from simulator.client import ControlError
from tests.lifecycle.api_reads import attempts_of, snapshot_of
from tests.support.application import Application, until
from tests.support.linking import decode

NUMBER, SECOND, THIRD = "5511981000201", "5511981000202", "5511981000203"
# Longer than the wait for a second code: 20 s, and 10 s more.
LONGER_THAN_A_LATER_CODE = 32.0


def typed_code(application: Application, organization: int, number: str) -> tuple[str, int]:
    """Return the code to type on the phone, and the seconds for which it is valid."""
    body = {"phoneNumber": f"+{number}"}
    answer = application.api("POST", organization, "pairing-code", body=body)
    assert answer.status == 200, answer
    return answer.body["pairingCode"], answer.body["expiresIn"]


def shown_code(application: Application, organization: int) -> str:
    """Return the text of the current QR code."""
    answer = application.api("GET", organization, "qrcode")
    assert answer.status == 200, answer
    return decode(answer)


def refresh(application: Application, connection: str) -> None:
    """Let WhatsApp replace the secret in the codes of a connection."""
    application.simulator.arm(
        "notification", connection=connection, type="companion_reg_refresh", count=1
    )


def test_refreshed_codes_stay_valid_for_their_full_time_and_link(
    own_application: Application,
) -> None:
    application = own_application
    by_qr, by_phone, by_old_code = (application.organization(number) for number in range(3))
    first = decode(application.api("POST", by_qr, "reconnect"))
    typed, valid_before = typed_code(application, by_phone, SECOND)
    old = decode(application.api("POST", by_old_code, "reconnect"))
    time.sleep(5)  # so that a lifetime that begins anew can be told from one that goes on

    for shown in ({"qr": first}, {"code_for": SECOND}, {"qr": old}):
        (pairing,) = application.simulator.connections(**shown)
        refresh(application, pairing["id"])
    refreshed_at = time.monotonic()
    until(lambda: shown_code(application, by_qr) != first, 5, "the code with another secret")
    second = shown_code(application, by_qr)
    assert second.split(",")[0] == first.split(",")[0], "the reference is the same"
    pairing = snapshot_of(application, by_qr)["pairing"]
    assert (pairing["codeNumber"], pairing["codeCount"]) == (1, 6)
    assert (pairing["secondsInAll"], 55 < pairing["secondsLeft"] <= 60) == (60, True)

    def lives_longer() -> bool:
        return typed_code(application, by_phone, SECOND)[1] > valid_before - 4

    until(lives_longer, 5, "a typed code that is valid for its full time again")
    assert typed_code(application, by_phone, SECOND)[0] == typed

    until(lambda: shown_code(application, by_old_code) != old, 5, "the old code replaced")
    with pytest.raises(ControlError):
        application.simulator.scan(old, number=THIRD)
    status = application.wait_for_state(by_old_code, "action_needed")
    assert (status["reason"], status["detail"]) == ("pairing_unverified", "its signature is wrong")

    while time.monotonic() < refreshed_at + LONGER_THAN_A_LATER_CODE:
        assert shown_code(application, by_qr) == second
        time.sleep(1)
    code, valid = typed_code(application, by_phone, SECOND)
    assert (code, 100 < valid <= 128) == (typed, True)
    application.simulator.scan(second, number=NUMBER)
    application.simulator.enter_code(SECOND, typed)
    for organization, number in ((by_qr, NUMBER), (by_phone, SECOND)):
        assert application.wait_for_state(organization, "connected")["number"] == number
        assert len(attempts_of(application, organization)) == 1


def test_codes_are_valid_by_the_number_of_refs(own_application: Application) -> None:
    application = own_application
    by_qr, by_phone = application.organization(0), application.organization(1)
    for refs, lowest, highest, first in ((3, 50, 60, 20), (6, 150, 160, 60)):
        application.simulator.set_refs(refs)
        code, valid = typed_code(application, by_phone, NUMBER)
        assert lowest < valid <= highest
        application.api("POST", by_qr, "reconnect")
        pairing = snapshot_of(application, by_qr)["pairing"]
        assert (pairing["codeNumber"], pairing["codeCount"]) == (1, refs)
        assert (pairing["secondsInAll"], first - 5 < pairing["secondsLeft"] <= first) == (
            first,
            True,
        )
        for organization in (by_qr, by_phone):
            assert application.api("POST", organization, "cancel").status == 200
        with pytest.raises(ControlError):
            application.simulator.enter_code(NUMBER, code)
