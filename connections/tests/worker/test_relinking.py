"""Which proxy a client gets back once its link has held, by the environment of its process."""

from __future__ import annotations

import pytest

from connections.worker.child.relinking import REFUSING_PROXY, is_refusing, way_out

PROXY = "http://user:secret@proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "way"),
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
def test_way_out_is_the_proxy_of_the_environment(
    environment: dict[str, str], way: str | None
) -> None:
    assert way_out(environment) == way


@pytest.mark.parametrize(
    ("bypass", "way"),
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
def test_bypass_for_whatsapp_means_no_proxy(name: str, bypass: str, way: str) -> None:
    assert way_out({"HTTPS_PROXY": PROXY, name: bypass}) == way


def test_own_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert way_out() == ""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert way_out() == PROXY


def test_error_of_the_refusing_proxy_is_told_from_that_of_a_real_one() -> None:
    refused = 'Get "https://web.whatsapp.com/ws/chat": proxyconnect tcp: dial tcp {}: connect: …'
    assert REFUSING_PROXY == "http://127.0.0.1:0"
    assert is_refusing(refused.format("127.0.0.1:0"))
    assert not is_refusing(refused.format("127.0.0.1:3128"))
    assert not is_refusing('Get "https://web.whatsapp.com/ws/chat": Bad Gateway')
