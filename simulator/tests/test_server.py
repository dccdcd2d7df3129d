"""The stand-in against a light companion that does what neonize never would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from simulator.client import ControlError
from simulator.nodes import Node
from simulator.process import Simulator
from simulator.xeddsa import KeyPair

from .light import Gone, Light

Step = Callable[[Light], Awaitable[None]]


def run(simulator: Simulator, step: Step) -> None:
    async def whole() -> None:
        light = Light(simulator)
        try:
            await asyncio.wait_for(step(light), 20)
        finally:
            with contextlib.suppress(AttributeError):
                await light.close()

    asyncio.run(whole())


def test_light_companion_links_and_logs_in(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        linked = await light.link(simulator.control, "5511987654321")
        assert linked.jid == "5511987654321:1@s.whatsapp.net"
        await light.go_online()
        live = simulator.control.connections()
        assert [(c["state"], c["jid"], c["number"]) for c in live] == [
            ("online", linked.jid, "5511987654321")
        ]
        assert (await light.query("w:profile:picture", "get")).get("type") == "result"

    run(simulator, step)


def test_stolen_address_without_the_key_is_refused(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        await light.link(simulator.control)
        light.noise = KeyPair()
        failure = await light.log_in()
        assert (failure.tag, failure.get("reason")) == ("failure", "401")
        with pytest.raises(Gone):
            await light.receive()

    run(simulator, step)


def test_login_attempts_are_counted_for_each_number(simulator: Simulator) -> None:
    number = "5511987654321"

    async def step(light: Light) -> None:
        await light.link(simulator.control, number)
        assert simulator.control.logins() == []
        for kind in ("failure", "cut_login"):
            simulator.control.arm(kind, number=number, count=1)
            with contextlib.suppress(Gone):
                await light.log_in()
            await light.close()
        assert simulator.control.logins() == [{"number": number, "logins": 0, "attempts": 2}]
        await light.log_in()
        assert simulator.control.logins(number) == [{"number": number, "logins": 1, "attempts": 3}]
        assert simulator.control.logins("5511912345678") == []
        await light.close()
        simulator.control.unlink(number=number)
        await light.log_in()
        # A login of a device that is not linked any more is nobody's.
        assert simulator.control.logins(number)[0]["attempts"] == 3

    run(simulator, step)


def test_wrong_signature_of_a_companion_is_refused(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        sign = light.sign

        async def forge(success: Node) -> None:
            light.identity = KeyPair()
            await sign(success)

        light.sign = forge  # type: ignore[method-assign]
        with pytest.raises((ControlError, Gone)):
            await light.link(simulator.control)
        assert simulator.control.devices() == []

    run(simulator, step)


def test_companion_that_leaves_while_it_is_scanned(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        async def leave(success: Node) -> None:
            light.writer.transport.abort()

        light.sign = leave  # type: ignore[method-assign]
        with pytest.raises((ControlError, Gone)):
            await light.link(simulator.control)
        assert simulator.control.devices() == []

    run(simulator, step)


def test_proxy_that_wants_credentials_sends_a_challenge(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        simulator.control.arm("refuse", count=1, status=407)
        with pytest.raises(Gone) as refused:
            await light.dial()
        head = str(refused.value)
        assert head.startswith("HTTP/1.1 407 Proxy Authentication Required\r\n")
        assert 'Proxy-Authenticate: Basic realm="proxy"\r\n' in head

    run(simulator, step)


def test_garbage_ends_one_connection_only(simulator: Simulator) -> None:
    before = simulator.control.stats()["protocol_errors"]

    async def step(light: Light) -> None:
        await light.dial()
        light.write(b"WA\x06\x03\x00\x00\x04junk")
        with pytest.raises(Gone):
            await light.frame()
        await light.close()
        await light.link(simulator.control)

    run(simulator, step)
    assert simulator.control.stats()["protocol_errors"] == before + 1


def test_other_hosts_are_not_reached(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", light.port)
        writer.write(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
        assert (await reader.read(100)).startswith(b"HTTP/1.1 403 ")
        writer.close()
        await writer.wait_closed()

    run(simulator, step)


def test_no_server_hello(simulator: Simulator) -> None:
    simulator.control.arm("no_server_hello", count=1)

    async def step(light: Light) -> None:
        await light.dial()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(light.shake_hands(b""), 1)
        await light.close()
        await light.link(simulator.control)

    run(simulator, step)


def test_refs_can_be_set(simulator: Simulator) -> None:
    simulator.control.set_refs(2)

    async def step(light: Light) -> None:
        await light.link(simulator.control)

    before = simulator.control.stats()["qr_refs_issued"]
    run(simulator, step)
    assert simulator.control.stats()["qr_refs_issued"] == before + 2


def test_device_forgotten_while_it_uploads_stays_forgotten(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        linked = await light.link(simulator.control)
        assert (await light.log_in()).tag == "success"
        await asyncio.to_thread(simulator.control.unlink, jid=linked.jid)
        light.send(Node("iq", {"xmlns": "encrypt", "type": "set", "id": "1"}, [Node("list")]))
        with pytest.raises(Gone):
            while True:
                await light.receive()
        await light.close()
        assert (await light.log_in()).get("reason") == "401"

    run(simulator, step)
    assert simulator.control.devices() == []
