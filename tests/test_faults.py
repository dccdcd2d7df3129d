"""What WhatsApp and the network do to a linked organization, and what people are told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.application import Application, until
from tests.test_reconnect import link, online


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and what it must lead to, within `seconds`."""

    name: str
    kind: str
    state: str
    reason: str
    seconds: float = 15
    params: dict[str, Any] = field(default_factory=dict)
    at_login: bool = False  # it bites when the client comes back from a dropped connection
    resumes: bool = True  # the saved credentials are still good afterwards


FAULTS = [
    Fault("TCP drop", "drop", "connected", "resumed"),
    Fault("WebSocket close", "websocket_close", "connected", "resumed", params={"code": 1011}),
    Fault("stream 503", "stream_503", "connected", "resumed"),
    Fault("taken over", "replaced", "action_needed", "taken_over"),
    Fault(
        "temporary ban",
        "failure",
        "action_needed",
        "temporarily_banned",
        params={"reason": 402, "code": 101, "expire": 3600},
        at_login=True,
    ),
    Fault(
        "account locked",
        "failure",
        "action_needed",
        "account_locked",
        params={"reason": 403},
        at_login=True,
        resumes=False,
    ),
    Fault(
        "client outdated",
        "failure",
        "action_needed",
        "client_outdated",
        params={"reason": 405},
        at_login=True,
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_linked_organization(application: Application, organization: int, fault: Fault) -> None:
    number = link(application, organization)
    folder = application.data_dir / "auth_sessions" / str(organization)
    logins = application.simulator.stats()["logins"]
    armed = application.simulator.arm(fault.kind, number=number, **fault.params)
    if fault.at_login:
        application.simulator.drop(number=number)
    elif fault.state == "connected":
        until(lambda: application.simulator.stats()["logins"] > logins, 15, "another login")
    status = application.wait_for_state(organization, fault.state, fault.seconds)
    assert status["reason"] == fault.reason
    assert folder.is_dir(), "only an explicit disconnect deletes credentials"

    application.simulator.clear_faults(armed)
    if fault.state == "connected":
        until(lambda: online(application, number), 15, "the device online")
        return
    again = application.api("POST", organization, "reconnect")
    assert again.status == 200
    assert (again.body["qrCode"] is None) == fault.resumes
