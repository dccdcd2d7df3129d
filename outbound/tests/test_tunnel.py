"""Proxies: what their URLs hold, which of them may be connected to, and tunnels through them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest

from outbound import tunnel
from outbound.errors import AddressRefused
from outbound.policy import Policy
from outbound.proxies import ProxyUnusable, check_proxy_host, checked_proxy
from outbound.resolver import Resolver
from outbound.tunnel import Proxy, TunnelFailed
from simulator.process import Simulator, start

MEDIA = "mmg.whatsapp.net"
LOGIN = {"username": "us er", "password": "p@ss/w%rd:"}
PUBLIC = Policy(own_hosts=frozenset({"orgs.example.com"}))


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with start(tmp_path_factory.mktemp("simulator")) as running:
        yield running


def test_url_has_what_a_proxy_has_and_shows_no_login() -> None:
    proxy = Proxy("socks5", "proxy.example", 1080, **LOGIN)
    assert proxy.url == "socks5://us%20er:p%40ss%2Fw%25rd%3A@proxy.example:1080"
    assert Proxy.parse(proxy.url) == proxy
    assert proxy.shown == "socks5://proxy.example:1080"
    assert "p@ss" not in repr(proxy) and "us er" not in repr(proxy)
    with pytest.raises(ValueError, match="no URL of a proxy") as error:
        Proxy.parse("http://user:s3cret@[broken")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "0x7f.1", "2130706433", "localhost"),
        *("squid", "squid.internal", "orgs.example.com", "a b", "http://x.example", "x.example:1"),
    ],
)
def test_host_inside_or_of_our_own_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        check_proxy_host(host, PUBLIC)


def test_allowed_host_may_be_inside() -> None:
    policy = Policy(allow_private=True, allowed_hosts=frozenset({"squid", "10.0.0.7"}))
    assert check_proxy_host("Squid", policy) == "squid"
    assert check_proxy_host("10.0.0.7", policy) == "10.0.0.7"
    with pytest.raises(AddressRefused):
        check_proxy_host("10.0.0.8", policy)


@pytest.mark.parametrize(
    ("scheme", "found", "address"),
    [
        ("http", ["1.1.1.1"], "1.1.1.1"),
        ("socks5", ["2606:4700::1111"], "2606:4700::1111"),
        ("https", ["1.1.1.1"], "1.1.1.1"),
        ("http", ["1.1.1.1", "10.0.0.7"], None),
        ("https", ["127.0.0.1"], None),
    ],
)
async def test_every_address_is_checked_and_the_checked_one_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, scheme: str, found: list[str], address: str | None
) -> None:
    async def resolve(_resolver: object, name: str) -> list[object]:
        assert name == "proxy.example.com."
        return [ip_address(each) for each in found]

    monkeypatch.setattr(Resolver, "resolve", resolve)
    proxy = Proxy(scheme, "proxy.example.com", 3128)
    if address is None:
        with pytest.raises(ProxyUnusable, match="public internet"):
            await checked_proxy(proxy, PUBLIC)
    else:
        assert (await checked_proxy(proxy, PUBLIC)).address == address


def test_url_has_the_checked_address_but_of_an_https_proxy_its_name() -> None:
    for scheme in ("http", "socks5"):
        assert Proxy(scheme, "proxy.example", 1, address="1.1.1.1").url == f"{scheme}://1.1.1.1:1"
    # The library compares its certificate with it.
    secure = Proxy("https", "proxy.example", 443, address="1.1.1.1")
    assert secure.url == "https://proxy.example:443"


@pytest.mark.parametrize("scheme", tunnel.SCHEMES)
def test_tunnel_carries_an_exchange_and_its_faults_have_names(
    simulator: Simulator, scheme: str
) -> None:
    trust = ssl.create_default_context(cafile=simulator.ca_file)

    def open_through(mode: str) -> tunnel.Stream:
        made = simulator.control.set_proxy("one", kind=scheme, mode=mode, **LOGIN)
        port = urlsplit(made["url"]).port or 0
        proxy = Proxy(scheme, "127.0.0.1", port, **LOGIN)
        return tunnel.connect(proxy, MEDIA, 443, trust, 10.0)

    stream = open_through("ok")
    stream.sendall(f"GET /nothing HTTP/1.1\r\nHost: {MEDIA}\r\n\r\n".encode())
    assert stream.recv(100).startswith(b"HTTP/1.1 404")
    stream.close()
    for mode, problem in (
        ("refuse", "refused"),
        ("forbid", "refused"),
        ("other_certificate", "untrusted"),
        ("garbage", "untrusted"),
        ("dead", "unreachable"),
    ):
        with pytest.raises(TunnelFailed) as failed:
            open_through(mode)
        assert (mode, failed.value.problem) == (mode, problem)
        assert "127.0.0.1" not in str(failed.value) and "p@ss" not in repr(failed.value)


def test_silent_proxy_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = Proxy("http", "127.0.0.1", silent.getsockname()[1])
        with pytest.raises(TunnelFailed, match="did not answer"):
            tunnel.connect(proxy, MEDIA, 443, ssl.create_default_context(), 0.2)
