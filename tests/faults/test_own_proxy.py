"""An organization's own proxy: everything goes through it, its faults are named, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from simulator.client import ControlClient
from tests.faults.proxy_faults import LINKED, PAIRING, SECONDS
from tests.faults.test_proxy_refusal import visible_output, wait_for_detail
from tests.lifecycle.api_reads import events_of, status_of
from tests.support.application import Answer, Application, until
from tests.support.linking import link

USER, PASSWORD = "padaria", "pr0xy/s3cret@1"


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    """A product that lets proxies be on loopback, and logs all it has to say."""
    with Application(
        tmp_path / "application",
        LOG_LEVEL="DEBUG",
        PROXIES_ALLOW_PRIVATE="true",
        PROXIES_ALLOWED_HOSTS="127.0.0.1",
    ) as running:
        yield running


def set_proxy(
    application: Application, organization: int, name: str, kind: str, mode: str = "ok"
) -> Answer:
    """Make a proxy and let the organization use it."""
    control = application.simulator
    made = control.set_proxy(name, kind=kind, mode=mode, username=USER, password=PASSWORD)
    port = urlsplit(made["url"]).port
    body = {"name": name, "kind": kind, "host": "127.0.0.1", "port": port}
    login = {"username": USER, "password": PASSWORD}
    path = f"/api/v1/organizations/{organization}/whatsapp/proxy"
    answer = application.request("PUT", path, body=body | login)
    assert answer.status == 200, answer
    return answer


def proxies_of(control: ControlClient, number: str) -> list[str]:
    """Return what the live connections of a number come through."""
    return [
        found["proxy"]
        for found in control.connections()
        if (found["number"], found["state"]) == (number, "online")
    ]


def directly(control: ControlClient) -> int:
    """Return how many requests have come without a proxy of an organization."""
    return len(control.proxies()[""]["asked"])


def test_link_follows_the_proxy_and_each_of_its_faults_is_named(application: Application) -> None:
    control = application.simulator
    organization, pairing = application.organization(0), application.organization(1)
    set_proxy(application, organization, "br-1", "http")
    number = link(application, organization)
    assert proxies_of(control, number) == ["br-1"] and directly(control) == 0

    set_proxy(application, organization, "br-2", "socks5")
    until(lambda: proxies_of(control, number) == ["br-2"], SECONDS, "the link by the new proxy")
    assert application.wait_for_state(organization, "connected")["number"] == number
    assert [line["actor"] for line in events_of(application, organization, "proxy_changed")]
    path = f"/api/v1/organizations/{organization}/whatsapp/proxy"
    tried = application.request("POST", f"{path}/try")
    assert (tried.status, tried.body["success"]) == (200, True), tried

    output = visible_output(application, organization)
    for fault in LINKED:
        set_proxy(application, organization, f"{fault.kind}-{fault.mode}", fault.kind, fault.mode)
        status = wait_for_detail(application, organization, fault.detail)
        assert (status["state"], status["reason"]) == fault.row.expected
        tried = application.request("POST", f"{path}/try")
        assert (tried.status, tried.body["code"]) == (503, status["reason"]), tried
        output += visible_output(application, organization)

    set_proxy(application, pairing, "refusing", PAIRING.kind, PAIRING.mode)
    assert application.api("POST", pairing, "reconnect").status in (202, 503)
    assert PAIRING.row.expected is not None
    state, reason = PAIRING.row.expected
    until(
        lambda: status_of(application, pairing)["reason"] == reason,
        SECONDS,
        "the end of the pairing",
    )
    assert status_of(application, pairing)["state"] == state
    output += visible_output(application, organization, pairing)
    assert directly(control) == 0, "nothing went around the proxies"

    control.set_proxy("socks5-dead", mode="ok")
    assert application.wait_for_state(organization, "connected", seconds=SECONDS)
    assert proxies_of(control, number) == ["socks5-dead"]
    output += str(application.request("GET", path).body) + application.log_text()
    assert PASSWORD not in output and "pr0xy%2Fs3cret" not in output and USER not in output
