"""The proxies of a client: its organization's, or those of its process's environment."""

from __future__ import annotations

import pytest

from connections.worker.child.relinking import REFUSING_PROXY, is_relink_refusal
from connections.worker.child.routes import (
    Route,
    configured_proxy,
    hide_proxies,
    route_of,
    scrub,
)

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
        # The library does not take it by this name, and means the same by the other.
        ({"HTTPS_PROXY": "socks5h://proxy.example:1080"}, "socks5://proxy.example:1080"),
        # The library refuses to connect.
        ({"HTTPS_PROXY": "ftp://proxy.example:21"}, "ftp://proxy.example:21"),
        ({"ALL_PROXY": PROXY}, ""),
    ],
    ids=str,
)
def test_configured_proxy_is_read_from_the_environment(
    environment: dict[str, str], proxy: str
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


def test_hosts_have_the_proxies_of_the_environment_under_names_that_go_does_not_read() -> None:
    given = {"HTTPS_PROXY": PROXY, "no_proxy": "mmg.whatsapp.net", "HOME": "/root"}
    hidden = hide_proxies(given)
    assert hidden["HOME"] == "/root" and not given.keys() - {"HOME"} & hidden.keys()
    assert route_of("", hidden) == Route(link=PROXY, media="")
    assert route_of("", {"HTTPS_PROXY": PROXY}) == Route(PROXY, PROXY), "a program that is no host"


def test_organizations_proxy_replaces_those_of_the_environment() -> None:
    own = "socks5://u:p@proxy.example:1080"
    hidden = hide_proxies({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"})
    assert route_of(own, hidden) == Route(own, own, own=True)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        (f'parse "{PROXY}": invalid', 'parse "http://[hidden]@proxy.example:3128": invalid'),
        (
            "socks5://u:p%40@[::1]:1 and https://x@y",
            "socks5://[hidden]@[::1]:1 and https://[hidden]@y",
        ),
        ("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=", "Proxy-Authorization: [hidden]"),
        ("dial tcp 127.0.0.1:3128: refused", "dial tcp 127.0.0.1:3128: refused"),
    ],
)
def test_user_and_password_are_scrubbed(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


def test_only_errors_of_the_refusing_proxy_are_relink_refusals() -> None:
    refused = 'Get "https://web.whatsapp.com/ws/chat": proxyconnect tcp: dial tcp {}: connect: …'
    assert REFUSING_PROXY == "http://127.0.0.1:0"
    assert is_relink_refusal(refused.format("127.0.0.1:0"))
    assert not is_relink_refusal(refused.format("127.0.0.1:3128"))
    assert not is_relink_refusal('Get "https://web.whatsapp.com/ws/chat": Bad Gateway')
