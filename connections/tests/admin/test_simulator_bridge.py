"""The simulator is known only where it was asked for, and a missing one is named."""

import json
import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from connections import simulator_bridge

STATE = {
    "proxy_url": "http://127.0.0.1:1",
    "control_url": "http://127.0.0.1:1",
    "ca_file": "/nowhere/ca.pem",
    "noise_root": "00" * 32,
}


@pytest.fixture
def state(tmp_path: Path, settings: Settings) -> Path:
    settings.WHATSAPP_SERVER = "simulator"
    settings.SIMULATOR_STATE = tmp_path / "simulator.json"
    return tmp_path / "simulator.json"


def test_live_hosts_get_no_simulator_environment(settings: Settings) -> None:
    settings.WHATSAPP_SERVER = "live"
    assert not simulator_bridge.enabled()
    assert simulator_bridge.host_environment() == {}


def test_hosts_get_the_simulator_environment(state: Path) -> None:
    state.write_text(json.dumps(STATE))
    assert simulator_bridge.enabled()
    assert simulator_bridge.host_environment() == {
        "HTTPS_PROXY": STATE["proxy_url"],
        "https_proxy": STATE["proxy_url"],
        "SSL_CERT_FILE": STATE["ca_file"],
        "SSL_CERT_DIR": os.devnull,
        "WHATSAPP_NOISE_ROOT": STATE["noise_root"],
    }


@pytest.mark.parametrize("content", [None, "", "{"])
def test_missing_simulator_is_an_improper_configuration(state: Path, content: str | None) -> None:
    if content is not None:
        state.write_text(content)
    with pytest.raises(ImproperlyConfigured, match="start `python -m simulator`, or set"):
        simulator_bridge.host_environment()
    with pytest.raises(simulator_bridge.ScanFailed, match="cannot be read"):
        simulator_bridge.scan("a code")


def test_scan_fails_when_the_simulator_does_not_answer(state: Path) -> None:
    state.write_text(json.dumps(STATE))
    with pytest.raises(simulator_bridge.ScanFailed):
        simulator_bridge.scan("a code")
