"""The policy of the settings: our own names, and the hosts that the operator names."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from outbound.addresses import check_url
from outbound.errors import AddressRefused
from outbound.policy import webhook_policy


def test_policy_is_strict_by_default() -> None:
    assert not webhook_policy().trusts("127.0.0.1")


def test_policy_knows_our_own_names(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["Orgs.example.com", ".example.net", "[::1]", "*"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://public.example.org:8443", "https://*.example.info"]
    policy = webhook_policy()
    own = ("orgs.example.com", "a.example.net", "example.net", "::1", "public.example.org")
    for host in (*own, "a.example.info"):
        assert policy.is_own(host), host
    for host in ("example.com", "example.org", "evilexample.net", "127.0.0.1"):
        assert not policy.is_own(host), host


def test_named_hosts_are_trusted_only_when_private_ones_are_allowed(settings: Settings) -> None:
    settings.WEBHOOKS_ALLOWED_HOSTS = ["CRM.lan.", "[fd00::7]", "10.0.0.7"]
    assert not webhook_policy().trusts("crm.lan")
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    policy = webhook_policy()
    assert all(map(policy.trusts, ("crm.lan", "fd00::7", "10.0.0.7")))
    assert not policy.trusts("10.0.0.8")


def test_star_in_the_list_of_hosts_means_no_host(settings: Settings) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    settings.WEBHOOKS_ALLOWED_HOSTS = ["*"]
    assert not webhook_policy().trusts("10.0.0.8")


@pytest.fixture
def simulator(settings: Settings, tmp_path: Path) -> Path:
    settings.WHATSAPP_SERVER = "simulator"
    settings.SIMULATOR_STATE = tmp_path / "simulator.json"
    settings.SIMULATOR_STATE.write_text('{"hooks_url": "http://127.0.0.1:45123"}')
    return tmp_path / "simulator.json"


def test_receiver_of_the_simulator_is_trusted_and_nothing_beside_it(simulator: Path) -> None:
    policy = webhook_policy()
    assert check_url("http://127.0.0.1:45123/name", policy).port == 45123
    for url in ("http://127.0.0.1:45124/name", "http://localhost:45123/name", "http://127.0.0.1/"):
        with pytest.raises(AddressRefused):
            check_url(url, policy)


@pytest.mark.parametrize("content", ["", "{}", '{"hooks_url": ""}', '{"hooks_url": "x"}'])
def test_simulator_without_a_receiver_opens_no_address(simulator: Path, content: str) -> None:
    simulator.write_text(content)
    with pytest.raises(AddressRefused):
        check_url("http://127.0.0.1:45123/name", webhook_policy())


def test_no_receiver_is_trusted_with_whatsapp_itself(simulator: Path, settings: Settings) -> None:
    settings.WHATSAPP_SERVER = "live"
    with pytest.raises(AddressRefused):
        check_url("http://127.0.0.1:45123/name", webhook_policy())
