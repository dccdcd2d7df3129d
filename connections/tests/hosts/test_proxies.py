"""Clients in real host processes behind proxies of their own: who connects where."""

from __future__ import annotations

from pathlib import Path

import pytest

from connections.tests.support.linked_clients import (
    fork_server,
    host,
    simulator,
    text_to,
    wait_for,
)
from connections.tests.support.waiting import async_until
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from connections.worker.tasks.event_mapping import dial_failure
from simulator.process import Simulator

__all__ = ["fork_server", "host", "simulator"]
pytestmark = pytest.mark.sqlite_only

NUMBERS = ("5511981000701", "5511981000702")
LOGIN = {"username": "us er", "password": "p@ss/w%rd"}
AUTH = "us%20er:p%40ss%2Fw%25rd"
WHATSAPP, MEDIA = "web.whatsapp.com:443", "mmg.whatsapp.net:443"


def proxy_url(simulator: Simulator, name: str, kind: str, **settings: str) -> str:
    """Make a proxy that needs a login, and return its URL with it."""
    url = str(simulator.control.set_proxy(name, kind=kind, **LOGIN, **settings)["url"])
    return url.replace("://", f"://{AUTH}@")


def targets(simulator: Simulator, name: str) -> list[str]:
    """Return what a proxy was asked for, and let through."""
    asked = simulator.control.proxies()[name]["asked"]
    return [request["target"] for request in asked if request["accepted"]]


async def link(
    fork_server: ForkServer, simulator: Simulator, database: Path, number: str, proxy: str
) -> None:
    host = await fork_server.take()
    try:
        client = host.open(str(database), pairing=True, proxy=proxy)
        code = await wait_for(client, "code")
        simulator.control.scan(code["code"], number=number)
        await wait_for(client, "connected")
        await client.close()
    finally:
        host.kill()


async def open_through(host: HostHandle, database: Path, proxy: str, spool: Path) -> ClientHandle:
    client = host.open(str(database), spool=str(spool), proxy=proxy)
    await wait_for(client, "connected")
    return client


def proxies_of_links(simulator: Simulator) -> dict[str, str]:
    """Return the proxy of each live connection by its number."""
    live = simulator.control.connections()
    return {found["number"]: found["proxy"] for found in live if found["state"] == "online"}


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
async def test_pairing_link_and_media_go_through_the_proxy_alone(
    kind: str, fork_server: ForkServer, simulator: Simulator, host: HostHandle, tmp_path: Path
) -> None:
    proxy = proxy_url(simulator, "br-1", kind)
    database = tmp_path / "store.sqlite3"
    await link(fork_server, simulator, database, NUMBERS[0], proxy)
    client = await open_through(host, database, proxy, tmp_path / "spool")
    (tmp_path / "picture").write_bytes(b"a picture" * 1000)
    customer = simulator.control.save_person(name="Ana")["number"]
    image = {"path": str(tmp_path / "picture"), "mime_type": "image/jpeg"}
    content = text_to(customer, "", type="image", image=image)
    sent = await client.send(content, 20.0)

    assert sent.error == ""
    # One for the codes, one after the scan, one for the link.
    assert targets(simulator, "br-1") == [WHATSAPP, WHATSAPP, WHATSAPP, MEDIA]
    assert targets(simulator, "") == []


async def test_two_clients_of_one_host_use_each_their_own_proxy(
    fork_server: ForkServer, simulator: Simulator, host: HostHandle, tmp_path: Path
) -> None:
    kinds = {"br-1": "socks5", "br-2": "http"}
    urls = [proxy_url(simulator, name, kind) for name, kind in kinds.items()]
    stores = [tmp_path / f"{number}.sqlite3" for number in NUMBERS]
    for store, number, url in zip(stores, NUMBERS, urls, strict=True):
        await link(fork_server, simulator, store, number, url)
    for store, url in zip(stores, urls, strict=True):
        client = await open_through(host, store, url, store.with_suffix(".spool"))
        client.allow_relink()
    expected = dict(zip(NUMBERS, kinds, strict=True))
    assert proxies_of_links(simulator) == expected
    simulator.control.drop()  # The library reconnects both by itself.

    def linked_again() -> bool:
        return all(len(targets(simulator, name)) == 4 for name in kinds)

    await async_until(linked_again, "both links again", seconds=20.0)
    environment = Path(f"/proc/{host.pid}/environ").read_bytes()
    command_line = Path(f"/proc/{host.pid}/cmdline").read_bytes()

    assert targets(simulator, "") == []
    assert b"p@ss" not in environment + command_line and b"p%40ss" not in environment


@pytest.mark.parametrize(
    ("kind", "mode", "reason"),
    [
        *((kind, "dead", "proxy_unreachable") for kind in ("http", "https", "socks5")),
        *((kind, "refuse", "proxy_refused") for kind in ("http", "https", "socks5")),
        *((kind, "forbid", "proxy_refused") for kind in ("http", "socks5")),
        *((kind, "other_certificate", "proxy_untrusted") for kind in ("http", "https", "socks5")),
        *((kind, "garbage", "proxy_untrusted") for kind in ("http", "https", "socks5")),
    ],
)
async def test_faulty_proxy_is_named_and_nothing_goes_around_it(
    kind: str, mode: str, reason: str, host: HostHandle, simulator: Simulator, tmp_path: Path
) -> None:
    url = proxy_url(simulator, "br-1", kind, mode=mode)
    client = host.open(str(tmp_path / "store.sqlite3"), pairing=True, proxy=url)
    ended = await client.next(20.0)
    while ended["event"] != "ended":
        ended = await client.next(20.0)

    assert ended["cause"] == "dial", ended
    assert dial_failure(ended["error"], proxied=True).observation == reason, ended
    assert "p@ss" not in ended["error"] and "p%40ss" not in ended["error"]
    assert targets(simulator, "") == []
