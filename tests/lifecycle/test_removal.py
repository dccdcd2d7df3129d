"""An organization is removed from a running product, also when WhatsApp or the process is away."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import Application, until
from tests.support.linking import link

pytestmark = pytest.mark.servers

NAME = "Padaria Estrela"
SECONDS = 30.0


@pytest.fixture
def own_application(tmp_path: Path) -> Iterator[Application]:
    """A product that gives a logout up soon, and that a test may kill."""
    with Application(tmp_path / "application", LOGOUT_TIMEOUT_SECONDS="1") as running:
        yield running


def start_removal(application: Application, organization: int) -> None:
    path = f"/api/v1/organizations/{organization}/removal"
    answer = application.request("POST", path, body={"name": NAME})
    assert (answer.status, answer.body["state"]) == (202, "logging_out"), answer


def read_removal(application: Application, organization: int) -> dict[str, Any]:
    return application.request("GET", f"/api/v1/removals/{organization}").body


def read_problem(application: Application, organization: int) -> str:
    return str(read_removal(application, organization)["problem"] or "")


def decide(application: Application, organization: int, wait: bool) -> dict[str, Any]:
    """Decide about the logout. Return the removal once it is over."""
    body = {"waitForLogout": wait}
    application.request("PATCH", f"/api/v1/removals/{organization}", body=body)

    def done() -> dict[str, Any] | None:
        found = read_removal(application, organization)
        return found if found["state"] == "removed" else None

    found: dict[str, Any] = until(done, SECONDS, "the removal")
    return found


def test_removal_waits_for_whatsapp_or_a_person_and_survives_a_kill(
    own_application: Application,
) -> None:
    application = own_application
    waits, goes_on = application.new_organizations(NAME, NAME)
    number, left_number = (link(application, each) for each in (waits, goes_on))
    ana = str(application.simulator.save_person(name="Ana")["number"])
    application.simulator.say(ana, number, "Olá")
    application.simulator.arm("no_logout_answer")
    for organization in (waits, goes_on):
        start_removal(application, organization)
        assert application.api("GET", organization, "status").status == 404
        assert application.api("POST", organization, "reconnect").status == 404
    for organization in (waits, goes_on):
        until(partial(read_problem, application, organization), SECONDS, "why")
        assert application.has_credentials(organization), "they are needed to log out"

    application.kill_all()
    application.start()
    state = read_removal(application, waits)
    assert (state["state"], state["logout"]) == ("logging_out", "pending")
    # The simulator's faults are gone with its process.
    application.simulator.arm("no_logout_answer", number=left_number)
    assert decide(application, goes_on, wait=False)["logout"] == "unconfirmed"
    confirmed = decide(application, waits, wait=True)
    assert confirmed["logout"] == "confirmed" and confirmed["deleted"]["messages"] == 1
    devices = str(application.simulator.devices())
    assert left_number in devices and number not in devices
    for organization in (waits, goes_on):
        assert not application.has_credentials(organization)
        assert not (application.data_dir / "spool" / str(organization)).exists()
