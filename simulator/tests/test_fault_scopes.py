"""Faults apply only in their scope, checked with two light clients."""

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
from .light_client import ConnectionClosed, LightClient

ALICE, BOB = "5511987654321", "5511912345678"
SCOPES = pytest.mark.parametrize("scope", ["connection", "number", "all"])


@asynccontextmanager
async def two_linked(simulator: Simulator) -> AsyncIterator[tuple[LightClient, LightClient]]:
    """Link Alice and Bob, and close their connections at the end."""
    alice, bob = LightClient(simulator), LightClient(simulator)
    try:
        await alice.link(simulator.control, ALICE)
        await bob.link(simulator.control, BOB)
        yield alice, bob
    finally:
        await alice.close()
        await bob.close()


async def is_answered(client: LightClient, namespace: str, kind: str, *content: Node) -> bool:
    """Return whether a query is answered before a later one, which must be answered."""
    attrs: dict[str, Attribute] = {"to": SERVER, "xmlns": namespace, "type": kind}
    client.send(Node("iq", {**attrs, "id": "asked"}, list(content) or None))
    client.send(Node("iq", {"to": SERVER, "xmlns": "w", "type": "get", "id": "later"}))
    answers = [(await client.receive()).get("id")]
    if answers == ["asked"]:
        answers.append((await client.receive()).get("id"))
    assert answers[-1] == "later"
    return "asked" in answers


@SCOPES
async def test_no_pong_ignores_pings_in_its_scope(simulator: Simulator, scope: str) -> None:
    async with two_linked(simulator) as (alice, bob):
        await alice.go_online()
        await bob.go_online()
        simulator.control.arm("no_pong", **scoped(simulator, scope, ALICE))
        assert not await is_answered(alice, "w:p", "get")
        assert await is_answered(bob, "w:p", "get") is (scope != "all")
        simulator.control.clear_faults()
        assert await is_answered(alice, "w:p", "get")


async def test_no_pong_ignores_pings_of_a_pairing_connection(simulator: Simulator) -> None:
    client = LightClient(simulator)
    await client.connect()
    await client.handshake(wire.encode({19: wire.encode({4: client.identity.public})}))
    await client.expect("iq", "pair-device")
    (live,) = simulator.control.connections()
    simulator.control.arm("no_pong", connection=live["id"])
    assert not await is_answered(client, "w:p", "get")
    await client.close()


@SCOPES
async def test_no_logout_answer_ignores_logouts_in_its_scope(
    simulator: Simulator, scope: str
) -> None:
    async with two_linked(simulator) as (alice, bob):
        await alice.go_online()
        await bob.go_online()
        simulator.control.arm("no_logout_answer", **scoped(simulator, scope, ALICE))
        for client in (alice, bob):
            assert client.linked
            removal = Node("remove-companion-device", {"jid": client.linked.jid})
            if client is alice or scope == "all":
                assert not await is_answered(client, "md", "set", removal)
            else:
                assert (await client.query("md", "set", removal)).get("type") == "result"
        still_linked = {device["number"] for device in simulator.control.devices()}
        assert still_linked == ({ALICE, BOB} if scope == "all" else {ALICE})
        assert await is_answered(alice, "w:p", "get")


async def stream_error_code(client: LightClient) -> str:
    """Return the code of the last stream error before the server closes, or ""."""
    code = ""
    with pytest.raises(ConnectionClosed):
        while (node := await client.receive()).tag == "stream:error":
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
async def test_live_fault_ends_connections_in_its_scope(
    simulator: Simulator, kind: str, code: str, scope: str
) -> None:
    async with two_linked(simulator) as (alice, bob):
        await alice.go_online()
        await bob.go_online()
        simulator.control.arm(kind, **scoped(simulator, scope, ALICE))
        affected = (alice, bob) if scope == "all" else (alice,)
        assert await asyncio.gather(*map(stream_error_code, affected)) == [code] * len(affected)
        if scope != "all":
            assert await is_answered(bob, "w:p", "get")


@pytest.mark.parametrize("scope", ["number", "all"])
async def test_cut_login_aborts_logins_in_its_scope(simulator: Simulator, scope: str) -> None:
    async with two_linked(simulator) as (alice, bob):
        simulator.control.arm("cut_login", **scoped(simulator, scope, ALICE))
        for _ in range(2):
            with pytest.raises(ConnectionClosed):
                await alice.log_in()
        if scope == "all":
            with pytest.raises(ConnectionClosed):
                await bob.log_in()
        simulator.control.clear_faults()
        assert [(await client.log_in()).tag for client in (alice, bob)] == ["success"] * 2


@pytest.mark.parametrize("scope", ["number", "all"])
async def test_mute_login_leaves_logins_in_its_scope_unanswered(
    simulator: Simulator, scope: str
) -> None:
    async with two_linked(simulator) as (alice, bob):
        fault = simulator.control.arm("mute_login", **scoped(simulator, scope, ALICE))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(alice.log_in(), 1)
        simulator.control.clear_faults(fault)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(alice.query("w:p", "get"), 1)
        (live,) = simulator.control.connections()
        assert (live["state"], live["number"]) == ("logging_in", ALICE)


async def test_older_session_stays_until_a_late_success(simulator: Simulator) -> None:
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


async def test_device_unlinked_before_a_late_success_is_refused(simulator: Simulator) -> None:
    async with two_linked(simulator) as (alice, _):
        simulator.control.arm("slow_success", number=ALICE, ms=800)
        login = asyncio.create_task(alice.log_in())
        await asyncio.sleep(0.3)
        simulator.control.unlink(number=ALICE)
        assert (await login).get("reason") == "401"


async def test_drop_after_login_follows_the_success(simulator: Simulator) -> None:
    async with two_linked(simulator) as (alice, bob):
        simulator.control.arm("drop_after_login", number=ALICE)
        for _ in range(2):
            assert (await alice.log_in()).tag == "success"
            with pytest.raises(ConnectionClosed):
                await alice.query("passive", "set", Node("active"))
        await bob.go_online()


@pytest.mark.parametrize(
    "kind", ["cut_login", "mute_login", "failure", "slow_success", "drop_after_login"]
)
async def test_login_fault_does_not_affect_another_number(simulator: Simulator, kind: str) -> None:
    async with two_linked(simulator) as (_, bob):
        simulator.control.arm(kind, number=ALICE)
        assert (await bob.log_in()).tag == "success"


@pytest.mark.parametrize("reason", [500, 501, 503, 599])
async def test_login_succeeds_after_a_timed_failure_expires(
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


async def test_client_that_closes_during_a_slow_handshake_is_removed(simulator: Simulator) -> None:
    simulator.control.arm("slow_handshake", ms=60_000)
    client = LightClient(simulator)
    await client.connect()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.handshake(b""), 0.5)
    assert [c["state"] for c in simulator.control.connections()] == ["handshake"]
    await client.close()
    deadline = time.monotonic() + 10
    while simulator.control.connections():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
