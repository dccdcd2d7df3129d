"""A fault bites whom it is for, and nobody else; two light companions see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from simulator import wire
from simulator.jids import SERVER
from simulator.nodes import Attribute, Node
from simulator.process import Simulator

from .companions import scoped
from .light import Gone, Light

ALICE, BOB = "5511987654321", "5511912345678"
SCOPES = pytest.mark.parametrize("scope", ["connection", "number", "all"])


@asynccontextmanager
async def two_linked(simulator: Simulator) -> AsyncIterator[tuple[Light, Light]]:
    """Alice and Bob, linked; what they have open at the end is closed."""
    alice, bob = Light(simulator), Light(simulator)
    try:
        await alice.link(simulator.control, ALICE)
        await bob.link(simulator.control, BOB)
        yield alice, bob
    finally:
        await alice.close()
        await bob.close()


async def is_answered(light: Light, namespace: str, kind: str, *content: Node) -> bool:
    """Whether a query is answered before a later one, which must be."""
    attrs: dict[str, Attribute] = {"to": SERVER, "xmlns": namespace, "type": kind}
    light.send(Node("iq", {**attrs, "id": "asked"}, list(content) or None))
    light.send(Node("iq", {"to": SERVER, "xmlns": "w", "type": "get", "id": "later"}))
    answers = [(await light.receive()).get("id")]
    if answers == ["asked"]:
        answers.append((await light.receive()).get("id"))
    assert answers[-1] == "later"
    return "asked" in answers


@SCOPES
async def test_pings_unanswered(simulator: Simulator, scope: str) -> None:
    async with two_linked(simulator) as (alice, bob):
        await alice.go_online()
        await bob.go_online()
        simulator.control.arm("no_pong", **scoped(simulator, scope, ALICE))
        assert not await is_answered(alice, "w:p", "get")
        assert await is_answered(bob, "w:p", "get") is (scope != "all")
        simulator.control.clear_faults()
        assert await is_answered(alice, "w:p", "get")


async def test_pings_unanswered_while_pairing(simulator: Simulator) -> None:
    light = Light(simulator)
    await light.dial()
    await light.shake_hands(wire.encode({19: wire.encode({4: light.identity.public})}))
    await light.expect("iq", "pair-device")
    (live,) = simulator.control.connections()
    simulator.control.arm("no_pong", connection=live["id"])
    assert not await is_answered(light, "w:p", "get")
    await light.close()


@SCOPES
async def test_logout_unanswered(simulator: Simulator, scope: str) -> None:
    async with two_linked(simulator) as (alice, bob):
        await alice.go_online()
        await bob.go_online()
        simulator.control.arm("no_logout_answer", **scoped(simulator, scope, ALICE))
        for light in (alice, bob):
            assert light.linked
            removal = Node("remove-companion-device", {"jid": light.linked.jid})
            if light is alice or scope == "all":
                assert not await is_answered(light, "md", "set", removal)
            else:
                assert (await light.query("md", "set", removal)).get("type") == "result"
        still_linked = {device["number"] for device in simulator.control.devices()}
        assert still_linked == ({ALICE, BOB} if scope == "all" else {ALICE})
        assert await is_answered(alice, "w:p", "get")


async def last_code(light: Light) -> str:
    """The code of the stream error that a light is sent before the server closes, if any."""
    code = ""
    with pytest.raises(Gone):
        while (node := await light.receive()).tag == "stream:error":
            code = node.get("code")
    return code


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("drop", ""),
        ("websocket_close", ""),
        ("replaced", ""),
        ("stream_503", "503"),
        ("stream_515", "515"),
        ("stream_error", "500"),
    ],
)
@SCOPES
async def test_live_connection_ends(simulator: Simulator, kind: str, code: str, scope: str) -> None:
    async with two_linked(simulator) as (alice, bob):
        await alice.go_online()
        await bob.go_online()
        simulator.control.arm(kind, **scoped(simulator, scope, ALICE))
        bitten = (alice, bob) if scope == "all" else (alice,)
        assert await asyncio.gather(*map(last_code, bitten)) == [code] * len(bitten)
        if scope != "all":
            assert await is_answered(bob, "w:p", "get")


@pytest.mark.parametrize("scope", ["number", "all"])
async def test_cut_login(simulator: Simulator, scope: str) -> None:
    async with two_linked(simulator) as (alice, bob):
        simulator.control.arm("cut_login", **scoped(simulator, scope, ALICE))
        for _ in range(2):
            with pytest.raises(Gone):
                await alice.log_in()
        if scope == "all":
            with pytest.raises(Gone):
                await bob.log_in()
        simulator.control.clear_faults()
        assert [(await light.log_in()).tag for light in (alice, bob)] == ["success"] * 2


@pytest.mark.parametrize("scope", ["number", "all"])
async def test_mute_login(simulator: Simulator, scope: str) -> None:
    async with two_linked(simulator) as (alice, bob):
        fault = simulator.control.arm("mute_login", **scoped(simulator, scope, ALICE))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(alice.log_in(), 1)
        simulator.control.clear_faults(fault)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(alice.query("w:p", "get"), 1)
        (live,) = simulator.control.connections()
        assert (live["state"], live["number"]) == ("logging_in", ALICE)


async def test_late_success_keeps_the_older_session_until_it_comes(simulator: Simulator) -> None:
    async with two_linked(simulator) as (alice, _):
        await alice.go_online()
        older = alice.writer
        simulator.control.arm("slow_success", number=ALICE, ms=1000)
        before = simulator.control.stats()["replaced"]
        began = time.monotonic()
        login = asyncio.create_task(alice.log_in())
        await asyncio.sleep(0.5)
        states = [c["state"] for c in simulator.control.connections()]
        assert sorted(states) == ["logging_in", "online"]
        assert (await login).tag == "success"
        assert time.monotonic() - began >= 1
        assert simulator.control.stats()["replaced"] == before + 1
        older.transport.abort()


async def test_device_unlinked_before_its_late_success_is_refused(simulator: Simulator) -> None:
    async with two_linked(simulator) as (alice, _):
        simulator.control.arm("slow_success", number=ALICE, ms=800)
        login = asyncio.create_task(alice.log_in())
        await asyncio.sleep(0.3)
        simulator.control.unlink(number=ALICE)
        assert (await login).get("reason") == "401"


async def test_drop_after_login_comes_after_the_success(simulator: Simulator) -> None:
    async with two_linked(simulator) as (alice, bob):
        simulator.control.arm("drop_after_login", number=ALICE)
        for _ in range(2):
            assert (await alice.log_in()).tag == "success"
            with pytest.raises(Gone):
                await alice.query("passive", "set", Node("active"))
        await bob.go_online()


@pytest.mark.parametrize(
    "kind", ["cut_login", "mute_login", "failure", "slow_success", "drop_after_login"]
)
async def test_login_fault_of_another_number(simulator: Simulator, kind: str) -> None:
    async with two_linked(simulator) as (_, bob):
        simulator.control.arm(kind, number=ALICE)
        assert (await bob.log_in()).tag == "success"


@pytest.mark.parametrize("reason", [500, 501, 503, 599])
async def test_number_refused_for_a_time_is_let_in_after_it(
    simulator: Simulator, reason: int
) -> None:
    async with two_linked(simulator) as (alice, bob):
        simulator.control.arm("failure", number=ALICE, reason=reason, seconds=1.5)
        for _ in range(3):
            failure = await alice.log_in()
            assert (failure.tag, failure.get("reason")) == ("failure", str(reason))
            await alice.close()
        assert (await bob.log_in()).tag == "success"
        await asyncio.sleep(1.5)
        assert (await alice.log_in()).tag == "success"
        (counted,) = simulator.control.logins(ALICE)
        assert (counted["logins"], counted["attempts"]) == (1, 4)


async def test_failure_keeps_the_device(simulator: Simulator) -> None:
    async with two_linked(simulator) as (alice, _):
        simulator.control.arm("failure", number=ALICE, reason=401, count=1)
        assert (await alice.log_in()).get("reason") == "401"
        await alice.close()
        assert (await alice.log_in()).tag == "success"


async def test_client_that_leaves_a_slow_handshake(simulator: Simulator) -> None:
    simulator.control.arm("slow_handshake", ms=60_000)
    light = Light(simulator)
    await light.dial()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(light.shake_hands(b""), 0.5)
    assert [c["state"] for c in simulator.control.connections()] == ["handshake"]
    await light.close()
    deadline = time.monotonic() + 10
    while simulator.control.connections():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
