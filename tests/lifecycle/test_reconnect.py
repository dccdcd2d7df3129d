"""Disconnect, status and reconnect, repeated as by other software."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.application import Application, until
from tests.support.linking import decode, link, online

pytestmark = pytest.mark.servers


def test_new_organization_has_a_next_step(application: Application, organization: int) -> None:
    status = application.api("GET", organization, "status")
    assert status.status == 200
    old_fields = {
        "success": True,
        "authType": "baileys",
        "connectionStatus": "disconnected",
        "isConnected": False,
        "isDisconnected": True,
        "hasQRCode": False,
        "canReconnect": True,
    }
    assert old_fields.items() <= status.body.items()
    code = application.api("GET", organization, "qrcode")
    assert code.status == 404
    assert code.body == {
        "success": False,
        "code": "client_not_found",
        "message": "WhatsApp client not found for this organization. "
        "Please initialize connection first.",
    }


def test_reconnect_answers_with_a_code_that_links(
    application: Application, organization: int
) -> None:
    answer = application.api("POST", organization, "reconnect")
    assert answer.status == 200
    assert answer.body == {
        "success": True,
        "message": "Reconnection successful. Scan the QR code to reconnect.",
        "qrCode": answer.body["qrCode"],
    }
    code = application.api("GET", organization, "qrcode")
    assert code.body == {
        "success": True,
        "qrCode": answer.body["qrCode"],
        "message": "Scan this QR code with WhatsApp to connect",
    }
    assert application.api("GET", organization, "status").body["hasQRCode"] is True
    application.simulator.scan(decode(answer))
    status = application.wait_for_state(organization, "connected")
    assert (status["isConnected"], status["connectionStatus"]) == (True, "connected")
    assert status["canReconnect"] is False


def test_init_baileys_is_an_alias_of_reconnect(application: Application, organization: int) -> None:
    first = application.api("POST", organization, "init-baileys")
    assert first.status == 200
    again = application.api("POST", organization, "reconnect")
    assert decode(again) == decode(first)


def test_disconnect_then_status_then_reconnect_gives_a_fresh_code(
    application: Application, organization: int
) -> None:
    number = link(application, organization)
    assert application.has_credentials(organization)

    gone = application.api("DELETE", organization, "disconnect")
    assert (gone.status, gone.body["success"]) == (200, True)
    assert not application.has_credentials(organization)
    devices = [device["number"] for device in application.simulator.devices()]
    assert number not in devices, "WhatsApp was not told"
    status = application.api("GET", organization, "status").body
    assert (status["isDisconnected"], status["number"]) == (True, None)

    assert link(application, organization)


def test_disconnect_while_disconnected_cleans_up(
    application: Application, organization: int
) -> None:
    fresh = application.api("DELETE", organization, "disconnect")
    assert fresh.status == 200
    assert "was not connected" in fresh.body["message"]

    application.api("POST", organization, "reconnect")
    while_pairing = application.api("DELETE", organization, "disconnect")
    assert while_pairing.status == 200
    assert not application.has_credentials(organization)
    assert application.api("GET", organization, "qrcode").body["code"] == "client_not_found"


def test_repeated_reconnects_all_succeed(application: Application, organization: int) -> None:
    codes = set()
    for _ in range(5):
        first = application.api("POST", organization, "reconnect")
        again = application.api("POST", organization, "reconnect")
        assert first.status == again.status == 200
        assert decode(first) == decode(again), "a running attempt is returned, not restarted"
        codes.add(decode(first))
        assert application.api("DELETE", organization, "disconnect").status == 200
    assert len(codes) == 5, "each new attempt has a code of its own"


def test_reconnect_and_disconnect_leave_no_process_behind(
    application: Application, organization: int
) -> None:
    application.api("POST", organization, "reconnect")
    application.api("DELETE", organization, "disconnect")

    def settled() -> int | None:
        """The number of processes, once the warm host is back."""
        before = application.processes()
        return len(before) if before == application.processes() else None

    before = until(settled, 10, "a settled number of processes")
    for _ in range(5):
        assert application.api("POST", organization, "reconnect").status == 200
        assert application.api("DELETE", organization, "disconnect").status == 200
    until(lambda: settled() == before, 10, f"{before} processes, as before")


def test_reconnect_while_connected_changes_nothing(
    application: Application, organization: int
) -> None:
    number = link(application, organization)
    before = application.api("GET", organization, "status").body
    refused = application.api("POST", organization, "reconnect")
    assert refused.status == 409
    assert refused.body == {
        "success": False,
        "code": "already_connected",
        "message": "WhatsApp is already connected",
    }
    assert application.api("GET", organization, "status").body == before
    assert online(application, number)


def test_fifty_simultaneous_reconnects_share_one_attempt(
    application: Application, organization: int
) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(
                lambda _: application.api("POST", organization, "reconnect", timeout=60),
                range(50),
            )
        )
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["qrCode"] for answer in answers}) == 1


def test_unlink_by_the_phone_leads_to_a_fresh_code(
    application: Application, organization: int
) -> None:
    number = link(application, organization)
    application.simulator.unlink(number=number)
    status = application.wait_for_state(organization, "action_needed")
    assert status["reason"] == "logged_out_by_phone"
    assert (status["isDisconnected"], status["canReconnect"]) == (True, True)
    assert link(application, organization)


def test_dropped_connection_recovers_by_itself(application: Application, organization: int) -> None:
    number = link(application, organization)
    logins = application.simulator.stats()["logins"]
    application.simulator.drop(number=number)
    until(lambda: application.simulator.stats()["logins"] > logins, 20, "another login")
    application.wait_for_state(organization, "connected", seconds=20)


@pytest.mark.parametrize("action", ["status", "qrcode"])
def test_unknown_organization_is_not_found(application: Application, action: str) -> None:
    answer = application.api("GET", 999_999, action)
    assert answer.status == 404
    assert answer.body == {
        "success": False,
        "code": "not_found",
        "message": "Organization not found.",
    }


def test_wrong_token_is_refused(application: Application, organization: int) -> None:
    for token in ("wao_wrong", "ü", "a b"):
        answer = application.api("GET", organization, "status", token=token)
        assert answer.status == 401
        assert set(answer.body) == {"success", "code", "message"}
