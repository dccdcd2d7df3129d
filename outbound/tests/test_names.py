"""A name is looked up once for each connection, and only addresses that were checked are used."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from ipaddress import ip_address

import httpcore
import pytest

from outbound import resolver as resolver_module
from outbound.addresses import Address
from outbound.client import open_client
from outbound.errors import AddressRefused, Kind, RequestFailed
from outbound.network import MAX_TRIED, CheckedNetwork
from outbound.policy import Policy
from outbound.resolver import Resolver
from outbound.tests.servers import http, serving

PUBLIC, OTHER = "93.184.216.34", "2606:4700::1111"


class Names:
    """A resolver's answers, one after the other; the last one stays. `asked`: the names."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, name: str) -> list[Address]:
        self.asked.append(name)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, OSError):
            raise answer
        return [ip_address(text) for text in answer]


class Recorder(httpcore.AsyncNetworkBackend):
    """Notes where it is to connect, and connects to nothing but the address in `works`."""

    def __init__(self, works: str = "") -> None:
        self.tried: list[str] = []
        self.works = works

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.tried.append(host)
        if host != self.works:
            raise httpcore.ConnectTimeout
        return httpcore.AsyncMockStream([])


@pytest.fixture
def look_up(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names([PUBLIC])
    monkeypatch.setattr(resolver_module, "look_up", names)
    return names


async def connect(recorder: Recorder, policy: Policy = Policy()) -> None:  # noqa: B008
    resolver = Resolver()
    try:
        await CheckedNetwork(policy, resolver, recorder).connect_tcp("example.com", 443, 1)
    finally:
        resolver.close()


async def test_checked_address_is_the_one_connected_to(look_up: Names) -> None:
    recorder = Recorder(PUBLIC)
    await connect(recorder)
    # With a dot, so that nothing is appended to it.
    assert (look_up.asked, recorder.tried) == (["example.com."], [PUBLIC])


async def test_name_that_moves_inside_after_the_check_is_not_followed(look_up: Names) -> None:
    look_up.answers = [[PUBLIC], ["127.0.0.1"]]
    recorder = Recorder(PUBLIC)
    await connect(recorder)
    assert recorder.tried == [PUBLIC], "the second answer is not used for the first connection"
    with pytest.raises(AddressRefused):
        await connect(recorder)
    assert recorder.tried == [PUBLIC] and len(look_up.asked) == 2


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["::1"],
        ["::ffff:8.8.8.8"],
        ["fe80::1%2"],
        [PUBLIC, "192.168.0.1"],
        [OTHER, PUBLIC, "169.254.169.254"],
        [PUBLIC] * 20 + ["127.0.0.1"],
    ],
)
async def test_name_with_one_private_address_is_refused(
    look_up: Names, addresses: list[str]
) -> None:
    look_up.answers = [addresses]
    recorder = Recorder(PUBLIC)
    with pytest.raises(AddressRefused):
        await connect(recorder)
    assert recorder.tried == []


async def test_next_address_is_tried_when_one_does_not_answer(look_up: Names) -> None:
    look_up.answers = [[OTHER, PUBLIC]]
    recorder = Recorder(PUBLIC)
    await connect(recorder)
    assert recorder.tried == [OTHER, PUBLIC]


async def test_only_some_of_many_addresses_are_tried(look_up: Names) -> None:
    look_up.answers = [[f"93.184.216.{n}" for n in range(100)]]
    recorder = Recorder()
    with pytest.raises(httpcore.ConnectTimeout):
        await connect(recorder)
    assert len(recorder.tried) == MAX_TRIED


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (socket.EAI_NONAME, Kind.REFUSED),
        (socket.EAI_NODATA, Kind.REFUSED),
        (socket.EAI_AGAIN, Kind.DNS),
        (socket.EAI_FAIL, Kind.DNS),
    ],
)
async def test_unknown_name_looks_like_a_private_one(look_up: Names, code: int, kind: Kind) -> None:
    look_up.answers = [socket.gaierror(code, "for the test")]
    async with open_client(Policy()) as client:
        with pytest.raises(RequestFailed) as failed:
            await client.get("https://example.com/")
    assert failed.value.kind == kind


async def test_name_without_addresses_is_refused(look_up: Names) -> None:
    look_up.answers = [[]]
    with pytest.raises(AddressRefused):
        await connect(Recorder())


async def test_slow_lookup_ends_the_request_and_not_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()

    def slow(name: str) -> list[Address]:
        if name == "slow.example.":
            over.wait()
        return [ip_address("10.0.0.1")]

    monkeypatch.setattr(resolver_module, "look_up", slow)
    monkeypatch.setattr(resolver_module, "SECONDS", 0.2)
    try:
        async with open_client(Policy()) as client:
            # More than there are threads: one name takes one of them.
            for _ in range(resolver_module.THREADS + 1):
                monkeypatch.setattr(resolver_module, "SECONDS", 0.01)
                with pytest.raises(RequestFailed) as failed:
                    await client.get("https://slow.example/")
                assert failed.value.kind == Kind.DNS
            monkeypatch.setattr(resolver_module, "SECONDS", 10)
            with pytest.raises(AddressRefused):
                await client.get("https://fast.example/")
    finally:
        over.set()


async def test_real_lookup_finds_loopback_for_a_trusted_name() -> None:
    policy = Policy(True, frozenset({"localhost"}))
    async with serving(http(b"ok")) as server, open_client(policy) as client:
        assert (await client.get(f"http://localhost:{server.port}/")).text == "ok"
    assert f"Host: localhost:{server.port}".encode() in server.requests[0]
