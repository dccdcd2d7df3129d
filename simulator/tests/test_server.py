"""The simulator with a light client, also with protocol violations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from simulator.client import ControlError
from simulator.nodes import Node
from simulator.process import Simulator
from simulator.xeddsa import KeyPair

from .light_client import ConnectionClosed, LightClient

Step = Callable[[LightClient], Awaitable[None]]


def run(simulator: Simulator, step: Step) -> None:
    async def run_step() -> None:
        client = LightClient(simulator)
        try:
            await asyncio.wait_for(step(client), 20)
        finally:
            with contextlib.suppress(AttributeError):
                await client.close()

    asyncio.run(run_step())


def test_light_companion_links_and_logs_in(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        linked = await client.link(simulator.control, "5511987654321")
        assert linked.jid == "5511987654321:1@s.whatsapp.net"
        await client.go_online()
        live = simulator.control.connections()
        assert [(c["state"], c["jid"], c["number"]) for c in live] == [
            ("online", linked.jid, "5511987654321")
        ]
        assert (await client.query("w:profile:picture", "get")).get("type") == "result"

    run(simulator, step)


def test_login_with_a_wrong_key_is_refused(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        await client.link(simulator.control)
        client.noise = KeyPair()
        failure = await client.log_in()
        assert (failure.tag, failure.get("reason")) == ("failure", "401")
        with pytest.raises(ConnectionClosed):
            await client.receive()

    run(simulator, step)


def test_login_attempts_are_counted_per_number(simulator: Simulator) -> None:
    number = "5511987654321"

    async def step(client: LightClient) -> None:
        await client.link(simulator.control, number)
        assert simulator.control.logins() == []
        for kind in ("failure", "cut_login"):
            simulator.control.arm(kind, number=number, count=1)
            with contextlib.suppress(ConnectionClosed):
                await client.log_in()
            await client.close()
        assert simulator.control.logins() == [{"number": number, "logins": 0, "attempts": 2}]
        await client.log_in()
        assert simulator.control.logins(number) == [{"number": number, "logins": 1, "attempts": 3}]
        assert simulator.control.logins("5511912345678") == []
        await client.close()
        simulator.control.unlink(number=number)
        await client.log_in()
        # A login of an unlinked device is not counted.
        assert simulator.control.logins(number)[0]["attempts"] == 3

    run(simulator, step)


def test_wrong_signature_of_a_companion_is_refused(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        sign = client.sign

        async def forge(success: Node) -> None:
            client.identity = KeyPair()
            await sign(success)

        client.sign = forge  # type: ignore[method-assign]
        with pytest.raises((ControlError, ConnectionClosed)):
            await client.link(simulator.control)
        assert simulator.control.devices() == []

    run(simulator, step)


def test_companion_that_closes_during_a_scan_is_not_linked(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        async def leave(success: Node) -> None:
            client.writer.transport.abort()

        client.sign = leave  # type: ignore[method-assign]
        with pytest.raises((ControlError, ConnectionClosed)):
            await client.link(simulator.control)
        assert simulator.control.devices() == []

    run(simulator, step)


def test_refusal_with_407_has_a_challenge(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        simulator.control.arm("refuse", count=1, status=407)
        with pytest.raises(ConnectionClosed) as refused:
            await client.connect()
        head = str(refused.value)
        assert head.startswith("HTTP/1.1 407 Proxy Authentication Required\r\n")
        assert 'Proxy-Authenticate: Basic realm="proxy"\r\n' in head

    run(simulator, step)


def test_invalid_frame_ends_only_its_connection(simulator: Simulator) -> None:
    before = simulator.control.stats()["protocol_errors"]

    async def step(client: LightClient) -> None:
        await client.connect()
        client.write(b"WA\x06\x03\x00\x00\x04junk")
        with pytest.raises(ConnectionClosed):
            await client.frame()
        await client.close()
        await client.link(simulator.control)

    run(simulator, step)
    assert simulator.control.stats()["protocol_errors"] == before + 1


def test_connect_to_other_hosts_gets_403(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
        assert (await reader.read(100)).startswith(b"HTTP/1.1 403 ")
        writer.close()
        await writer.wait_closed()

    run(simulator, step)


def test_no_server_hello_leaves_the_handshake_pending(simulator: Simulator) -> None:
    simulator.control.arm("no_server_hello", count=1)

    async def step(client: LightClient) -> None:
        await client.connect()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.handshake(b""), 1)
        await client.close()
        await client.link(simulator.control)

    run(simulator, step)


def test_set_refs_changes_the_number_of_codes(simulator: Simulator) -> None:
    simulator.control.set_refs(2)

    async def step(client: LightClient) -> None:
        await client.link(simulator.control)

    before = simulator.control.stats()["qr_refs_issued"]
    run(simulator, step)
    assert simulator.control.stats()["qr_refs_issued"] == before + 2


def test_device_unlinked_during_an_upload_stays_unlinked(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        linked = await client.link(simulator.control)
        assert (await client.log_in()).tag == "success"
        await asyncio.to_thread(simulator.control.unlink, jid=linked.jid)
        client.send(Node("iq", {"xmlns": "encrypt", "type": "set", "id": "1"}, [Node("list")]))
        with pytest.raises(ConnectionClosed):
            while True:
                await client.receive()
        await client.close()
        assert (await client.log_in()).get("reason") == "401"

    run(simulator, step)
    assert simulator.control.devices() == []
