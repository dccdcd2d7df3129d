"""kill -9 of web and supervisor, and what the next start makes of it."""

import pytest

from tests.support.application import Application
from tests.support.linking import decode, link, online

pytestmark = pytest.mark.servers


def test_kill_while_connected_resumes_without_a_code(own_application: Application) -> None:
    organization = own_application.organization()
    number = link(own_application, organization)
    own_application.kill()
    own_application.start()
    status = own_application.wait_for_state(organization, "connected")
    assert (status["number"], status["reason"]) == (number, "resumed")
    assert online(own_application, number)


def test_kill_while_pairing_gives_a_new_code(own_application: Application) -> None:
    organization = own_application.organization()
    code = decode(own_application.api("POST", organization, "reconnect"))
    own_application.kill()
    own_application.start()
    own_application.wait_for_state(organization, "awaiting_scan")
    again = own_application.api("GET", organization, "qrcode")
    assert decode(again) != code
    own_application.simulator.scan(decode(again))
    own_application.wait_for_state(organization, "connected")


def test_credentials_unknown_to_whatsapp_give_a_new_code(own_application: Application) -> None:
    organization = own_application.organization()
    number = link(own_application, organization)
    own_application.simulator.unlink(number=number)
    own_application.wait_for_state(organization, "action_needed")
    assert decode(own_application.api("POST", organization, "reconnect"))


def test_regular_stop_does_not_log_out(own_application: Application) -> None:
    organization = own_application.organization()
    link(own_application, organization)
    own_application.stop()
    assert own_application.process is not None
    assert own_application.process.returncode == 0
    own_application.start()
    assert own_application.wait_for_state(organization, "connected")["reason"] == "resumed"


def test_second_instance_on_the_same_data_is_refused(own_application: Application) -> None:
    second = Application(own_application.data_dir)
    second.log = own_application.data_dir / "second.txt"
    with pytest.raises(AssertionError):
        second.start()
    assert "is in use by another `make run`" in second.log_text()
    own_application.api("GET", own_application.organization(), "status")
