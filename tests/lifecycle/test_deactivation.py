"""Deactivation closes the connection; reactivation resumes it without a scan."""

import pytest

from tests.support.application import Application, until
from tests.support.linking import link, online

pytestmark = pytest.mark.servers

SET_ACTIVE = """
from organizations.actions import set_active
from organizations.access import COMMAND_LINE
from organizations.models import Organization
set_active(Organization.objects.get(pk={pk}), {active}, COMMAND_LINE)
"""


def set_active(application: Application, organization: int, active: bool) -> None:
    application.manage("shell", "-v0", "-c", SET_ACTIVE.format(pk=organization, active=active))


def test_deactivated_connection_keeps_credentials_and_resumes(
    application: Application, organization: int
) -> None:
    number = link(application, organization)
    set_active(application, organization, False)

    def told() -> bool:
        status = application.api("GET", organization, "status").body
        return (status["reason"], status["isConnected"]) == ("organization_inactive", False)

    until(told, 2, "a status that tells what another process has written")
    until(lambda: not online(application, number), 10, "the device offline")
    assert application.has_credentials(organization)
    refused = application.api("POST", organization, "reconnect")
    assert (refused.status, refused.body["code"]) == (409, "organization_inactive")

    set_active(application, organization, True)
    application.wait_for_state(organization, "connected")
    until(lambda: online(application, number), 10, "the device online")


def test_deactivation_ends_a_pairing(application: Application, organization: int) -> None:
    assert application.api("POST", organization, "reconnect").status == 200
    set_active(application, organization, False)
    assert application.api("GET", organization, "qrcode").body["code"] == "client_not_found"

    def ended() -> bool:
        history = application.request("GET", f"/api/v1/organizations/{organization}/events").body
        return "pairing_interrupted" in str(history)

    until(ended, 10, "the worker has seen it")
    set_active(application, organization, True)
    application.wait_for_state(organization, "action_needed")
    assert application.api("POST", organization, "reconnect").status == 200
