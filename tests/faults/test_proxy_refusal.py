"""A proxy that refuses: people are told its status, and nobody is told its password."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simulator import process
from simulator.client import ControlClient
from tests.lifecycle.api_reads import events_of, snapshot_of, status_of
from tests.support.application import Application, until
from tests.support.linking import decode, link

NUMBER = "5511981000501"
PROXY_STATUSES = (407, 403, 502)
PASSWORD = "pr0xy-s3cret"
# Tries are repeated after up to 1, 2, 4, 8, … s, and dials wait up to 10 s in a pairing.
SECONDS = 25.0


def set_refusal(phone: ControlClient, status: int) -> None:
    """Let every proxy request be refused with this HTTP status, and no other one."""
    phone.clear_faults()
    phone.arm("refuse", status=status)


def wait_for_detail(application: Application, organization: int, detail: str) -> dict[str, object]:
    """Return the status once it has this detail."""

    def look() -> dict[str, object] | None:
        status = status_of(application, organization)
        return status if status["detail"] == detail else None

    found: dict[str, object] = until(look, SECONDS, f"{detail}, of organization {organization}")
    return found


def test_refused_proxy_request_names_its_http_status(own_application: Application) -> None:
    application, phone = own_application, own_application.simulator
    linked, pairing = application.organization(0), application.organization(1)
    number = link(application, linked)

    set_refusal(phone, PROXY_STATUSES[0])
    phone.drop(number=number)
    for status in PROXY_STATUSES:
        set_refusal(phone, status)
        detail = f"the proxy answered with HTTP status {status}"
        answer = application.api("POST", pairing, "reconnect")
        assert answer.status == 202
        output = wait_for_detail(application, pairing, detail)
        assert (output["state"], output["reason"]) == ("connecting", "unreachable")
        output = wait_for_detail(application, linked, detail)
        assert (output["state"], output["reason"]) == ("reconnecting", "unreachable")
        assert events_of(application, linked, "unreachable")[0]["detail"] == detail

    phone.clear_faults()
    assert application.wait_for_state(pairing, "awaiting_scan", seconds=SECONDS)
    assert application.wait_for_state(linked, "connected", seconds=70)["number"] == number


def test_proxy_password_is_not_exposed(tmp_path: Path) -> None:
    with process.start(tmp_path / "simulator") as simulator:
        proxy = simulator.proxy_url.replace("://", f"://proxyuser:{PASSWORD}@")
        # As for the real WhatsApp, where the proxy is the operator's; but it trusts the simulator.
        environment: dict[str, Any] = simulator.environment() | {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "WHATSAPP_NOISE_ROOT": simulator.noise_root.hex(),
            "WHATSAPP_SERVER": "live",
            "LOG_LEVEL": "DEBUG",
        }
        with Application(tmp_path / "application", **environment) as application:
            linked, pairing = application.organization(0), application.organization(1)
            code = decode(application.api("POST", linked, "reconnect"))
            simulator.control.scan(code, number=NUMBER)
            application.wait_for_state(linked, "connected")
            wait_for_session_host(simulator.control)
            simulator.control.arm("refuse", status=407)
            simulator.control.drop(number=NUMBER)
            application.api("POST", pairing, "reconnect")
            for organization in (linked, pairing):
                detail = "the proxy answered with HTTP status 407"
                wait_for_detail(application, organization, detail)
            output = visible_output(application, linked, pairing)

            simulator.kill()
            for organization in (linked, pairing):
                wait_for_detail(application, organization, "the proxy cannot be reached")
            output += visible_output(application, linked, pairing)
        assert "unreachable" in output and "supervisor started" in application.log_text()
        assert PASSWORD not in output
        assert PASSWORD not in application.log_text()


def wait_for_session_host(phone: ControlClient) -> None:
    """Wait until the only link has moved from the pairing's process to a session host."""
    until(lambda: phone.logins(NUMBER)[0]["logins"] == 2, 10, "the move to a session host")


def visible_output(application: Application, *organizations: int) -> str:
    """Return all answers, histories and pages about these organizations, as one text."""
    output: list[object] = []
    for organization in organizations:
        output.append(status_of(application, organization))
        output.append(application.api("POST", organization, "reconnect").body)
        output.append(snapshot_of(application, organization))
        output += [
            events_of(application, organization, kind=kind) for kind in ("connection", "audit")
        ]
    return json.dumps(output)
