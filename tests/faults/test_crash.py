"""kill -9 of web and supervisor, and what the next start makes of it."""

from collections.abc import Iterator

import pytest

from tests.support.application import Application
from tests.support.linking import decode, link, online

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A separate product, because the tests kill it."""
    with Application(tmp_path_factory.mktemp("crash") / "data") as running:
        yield running


def test_kill_while_connected_resumes_without_a_code(
    application: Application, organization: int
) -> None:
    number = link(application, organization)
    application.kill()
    application.start()
    status = application.wait_for_state(organization, "connected")
    assert (status["number"], status["reason"]) == (number, "resumed")
    assert online(application, number)


def test_kill_while_pairing_gives_a_new_code(application: Application, organization: int) -> None:
    code = decode(application.api("POST", organization, "reconnect"))
    application.kill()
    application.start()
    application.wait_for_state(organization, "awaiting_scan")
    again = application.api("GET", organization, "qrcode")
    assert decode(again) != code
    application.simulator.scan(decode(again))
    application.wait_for_state(organization, "connected")


def test_credentials_unknown_to_whatsapp_give_a_new_code(
    application: Application, organization: int
) -> None:
    number = link(application, organization)
    application.simulator.unlink(number=number)
    application.wait_for_state(organization, "action_needed")
    assert decode(application.api("POST", organization, "reconnect"))


def test_regular_stop_does_not_log_out(application: Application, organization: int) -> None:
    link(application, organization)
    application.stop()
    assert application.process is not None
    assert application.process.returncode == 0
    application.start()
    assert application.wait_for_state(organization, "connected")["reason"] == "resumed"


def test_second_instance_on_the_same_data_is_refused(application: Application) -> None:
    second = Application(application.data_dir)
    second.log = application.data_dir / "second.txt"
    with pytest.raises(AssertionError):
        second.start()
    assert "is in use by another `make run`" in second.log_text()
    application.api("GET", application.organization(), "status")
