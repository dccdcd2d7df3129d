"""The proxy that a client gets back once its link is stable, from its process's environment."""

from __future__ import annotations

import pytest

from connections.worker.child.relinking import REFUSING_PROXY, configured_proxy, is_relink_refusal

PROXY = "http://user:secret@proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": ""}, ""),
        ({"HTTP_PROXY": PROXY}, ""),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY, "https_proxy": "http://other.example:1"}, PROXY),
        ({"HTTPS_PROXY": "", "https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": "https://proxy.example:3128"}, "https://proxy.example:3128"),
        ({"HTTPS_PROXY": "socks5://proxy.example:1080"}, "socks5://proxy.example:1080"),
        # Without a scheme it is an HTTP proxy for Go as well.
        ({"HTTPS_PROXY": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "user:secret@proxy.example:3128"}, PROXY),
        # Go reads it from the environment, but the library does not take it by name.
        ({"HTTPS_PROXY": "socks5h://proxy.example:1080"}, None),
        ({"HTTPS_PROXY": "ftp://proxy.example:21"}, None),
    ],
    ids=str,
)
def test_configured_proxy_is_read_from_the_environment(
    environment: dict[str, str], proxy: str | None
) -> None:
    assert configured_proxy(environment) == proxy


@pytest.mark.parametrize(
    ("bypass", "proxy"),
    [
        ("", PROXY),
        ("localhost,127.0.0.1", PROXY),
        ("example.com, .internal", PROXY),
        ("atsapp.com", PROXY),
        ("*", ""),
        ("web.whatsapp.com", ""),
        ("whatsapp.com", ""),
        (".whatsapp.com", ""),
        ("localhost, web.whatsapp.com", ""),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_bypass_for_whatsapp_gives_no_proxy(name: str, bypass: str, proxy: str) -> None:
    assert configured_proxy({"HTTPS_PROXY": PROXY, name: bypass}) == proxy


def test_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert configured_proxy() == ""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert configured_proxy() == PROXY


def test_only_errors_of_the_refusing_proxy_are_relink_refusals() -> None:
    refused = 'Get "https://web.whatsapp.com/ws/chat": proxyconnect tcp: dial tcp {}: connect: …'
    assert REFUSING_PROXY == "http://127.0.0.1:0"
    assert is_relink_refusal(refused.format("127.0.0.1:0"))
    assert not is_relink_refusal(refused.format("127.0.0.1:3128"))
    assert not is_relink_refusal('Get "https://web.whatsapp.com/ws/chat": Bad Gateway')
