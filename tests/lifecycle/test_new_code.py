"""A new code keeps a refused saved login until a phone is linked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import Answer, Application, until
from tests.support.linking import decode, link

REFUSED_LONG_SECONDS = "2"


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A product with LOGIN_REFUSED_LONG_SECONDS=2."""
    folder = tmp_path_factory.mktemp("patient") / "data"
    with Application(folder, LOGIN_REFUSED_LONG_SECONDS=REFUSED_LONG_SECONDS) as application:
        yield application


@pytest.fixture
def refused(patient: Application, request: pytest.FixtureRequest) -> tuple[int, str, str]:
    """Return id, number and fault of an organization whose login is refused for long."""
    organization = patient.new_organizations(f"Organization of {request.node.name}")[0]
    number = link(patient, organization)
    fault = patient.simulator.arm("failure", number=number, reason=503)
    patient.simulator.drop(number=number)
    until(
        lambda: status(patient, organization)["reason"] == "login_still_refused",
        30,
        "that the login is refused for long",
    )
    return organization, number, fault


def status(application: Application, organization: int) -> dict[str, Any]:
    return application.api("GET", organization, "status").body


def ask_for_new_code(application: Application, organization: int) -> Answer:
    return application.api("POST", organization, "reconnect", body={"freshCode": True})


def stores(application: Application, organization: int) -> set[Path]:
    folder = application.data_dir / "auth_sessions" / str(organization)
    return {path.parent for path in folder.glob("*/whatsmeow.sqlite3")}


def reasons(application: Application, organization: int) -> list[str]:
    path = f"/api/v1/organizations/{organization}/events?kind=connection&pageSize=200"
    return [line["reason"] for line in application.request("GET", path).body["results"]]


def test_cancelled_new_code_keeps_the_refused_login(
    patient: Application, refused: tuple[int, str, str]
) -> None:
    organization, number, fault = refused
    told = status(patient, organization)
    assert (told["state"], told["connectionStatus"]) == ("reconnecting", "disconnected")
    assert "get a new code" in told["nextStep"]
    assert told["detail"] == "it answered with status 503"
    tried = patient.api("POST", organization, "reconnect")
    assert (tried.status, tried.body["code"]) == (503, "login_still_refused")
    saved = stores(patient, organization)
    answer = ask_for_new_code(patient, organization)
    assert answer.status == 200
    assert decode(answer)
    assert saved < stores(patient, organization)
    # Asked again, it is the same code; the other method goes on beside the saved login, too.
    assert decode(ask_for_new_code(patient, organization)) == decode(answer)
    typed = patient.api("POST", organization, "pairing-code", body={"phoneNumber": f"+{number}"})
    assert typed.body["endedAttempt"]["method"] == "qr"
    assert saved < stores(patient, organization)
    assert patient.api("POST", organization, "cancel").status == 200
    until(lambda: stores(patient, organization) == saved, 10, "only the saved login")
    patient.simulator.clear_faults(fault)
    back = patient.wait_for_state(organization, "connected", 70)
    assert back["number"] == number
    assert "saved_login_kept" in reasons(patient, organization)


def test_new_link_replaces_the_refused_login(
    patient: Application, refused: tuple[int, str, str]
) -> None:
    organization, number, _ = refused
    saved = stores(patient, organization)
    (old,) = devices(patient, number)
    another = patient.simulator.scan(decode(ask_for_new_code(patient, organization)))
    told = patient.wait_for_state(organization, "connected")
    assert told["number"] == another.number
    until(lambda: not saved & stores(patient, organization), 30, "the end of the old login")
    until(
        lambda: status(patient, organization)["reason"] == "old_device_left",
        30,
        "that the old device is still on the phone",
    )
    assert devices(patient, number) == [old], "WhatsApp refuses its logout as well"
    assert status(patient, organization)["state"] == "connected"


def test_new_link_logs_the_old_device_out_if_possible(
    patient: Application, refused: tuple[int, str, str]
) -> None:
    organization, number, fault = refused
    answer = ask_for_new_code(patient, organization)
    patient.simulator.clear_faults(fault)
    linked = patient.simulator.scan(decode(answer), number=number)
    patient.wait_for_state(organization, "connected")
    until(lambda: devices(patient, number) == [linked.jid], 30, "the end of the old device")
    assert "old_device_left" not in reasons(patient, organization)


def test_unused_code_keeps_the_saved_login(
    patient: Application, refused: tuple[int, str, str]
) -> None:
    organization, number, fault = refused
    saved = stores(patient, organization)
    patient.simulator.arm("bad_hmac", count=1)
    answer = ask_for_new_code(patient, organization)
    with pytest.raises(Exception, match="hmac"):
        patient.simulator.scan(decode(answer))
    until(lambda: "saved_login_kept" in reasons(patient, organization), 10, "the saved login again")
    until(lambda: stores(patient, organization) == saved, 10, "only the saved login")
    patient.simulator.clear_faults(fault)
    assert patient.wait_for_state(organization, "connected", 70)["number"] == number


def test_new_code_and_saved_login_survive_a_crash(own_application: Application) -> None:
    application = own_application
    organization = application.organization()
    number = link(application, organization)
    fault = application.simulator.arm("failure", number=number, reason=503)
    application.simulator.drop(number=number)
    until(lambda: "login_refused" in reasons(application, organization), 10, "the refusal")
    assert ask_for_new_code(application, organization).status == 200
    saved = stores(application, organization)
    application.kill()
    application.start()
    code = until(
        lambda: application.api("GET", organization, "qrcode").status == 200, 30, "another code"
    )
    assert code and len(stores(application, organization)) == len(saved)
    assert application.api("POST", organization, "cancel").status == 200
    application.simulator.clear_faults(fault)
    assert application.wait_for_state(organization, "connected", 70)["number"] == number


def devices(application: Application, number: str) -> list[str]:
    return [one["jid"] for one in application.simulator.devices() if one["number"] == number]
