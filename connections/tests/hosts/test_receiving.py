"""Messages and receipts that real clients write to their spools."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connections.tests.support.host_processes import until
from connections.tests.support.linked_clients import (
    fork_server,
    host,
    link_store,
    open_linked,
    simulator,
    spooled_lines,
    text_to,
    wait_for,
)
from connections.worker import spools
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from simulator.process import Simulator

__all__ = ["fork_server", "host", "simulator"]

pytestmark = pytest.mark.sqlite_only

NUMBER, PERSON = "5511987650001", "5511912345678"
SECONDS = 15.0
BURST = 60


@pytest.fixture
async def linked(fork_server: ForkServer, simulator: Simulator, tmp_path: Path) -> Path:
    """The store of a linked number; a person may write to it."""
    database = tmp_path / "a.sqlite3"
    await link_store(fork_server, simulator, database, NUMBER)
    simulator.control.save_person(PERSON, "Ana")
    return database


def lines(spool: Path, kind: str = "message") -> list[dict[str, Any]]:
    return [line for line in spooled_lines(spool) if line["kind"] == kind]


async def spooled_until(client: ClientHandle, is_there: Callable[[], bool]) -> None:
    """Wait until the spool has what a function looks for; look only when the client says so."""
    async with asyncio.timeout(SECONDS):
        while not is_there():
            await client.spooled.wait()
            client.spooled.clear()


async def spooled(client: ClientHandle, spool: Path, count: int) -> None:
    """Wait until the spool has so many messages."""
    await spooled_until(client, lambda: len(lines(spool)) >= count)


def receipts(spool: Path) -> set[tuple[str, ...]]:
    return {(line["type"], *line["ids"]) for line in lines(spool, "receipt")}


async def test_message_is_in_the_spool_before_it_is_confirmed(
    host: HostHandle, linked: Path, simulator: Simulator, tmp_path: Path
) -> None:
    spool = tmp_path / "a.spool"
    client = await open_linked(host, linked, spool)
    message_id = simulator.control.say(PERSON, NUMBER, "olá")
    await spooled(client, spool, 1)
    (line,) = lines(spool)
    assert (line["id"], line["text"]["body"]) == (message_id, "olá")
    assert (line["chat_alt"], line["push_name"]) == (f"{PERSON}@s.whatsapp.net", "Ana")
    assert (line["account"], line["from_me"], line["secret"]) == (NUMBER, False, True)
    assert not client.spool_blocked
    result = await client.send(text_to(PERSON, "answer"), SECONDS)
    await spooled_until(client, lambda: ("delivered", result.id) in receipts(spool))
    assert await client.trim_spool(spool.stat().st_size) > 0
    await client.close()


async def test_message_that_comes_again_is_noted_behind_the_first(
    host: HostHandle, linked: Path, simulator: Simulator, tmp_path: Path
) -> None:
    spool = tmp_path / "a.spool"
    client = await open_linked(host, linked, spool)
    simulator.control.arm("deliver_twice", number=NUMBER, count=2, times=2)
    own_id = simulator.control.say(NUMBER, NUMBER, "a note to oneself, which nobody misses")
    message_id = simulator.control.say(PERSON, NUMBER, "twice")
    await spooled_until(client, lambda: bool(lines(spool, "repeated")))
    (own, first, again) = (line for line in spooled_lines(spool) if line["kind"] != "receipt")
    assert (own["id"], first["id"]) == (own_id, message_id)
    assert (again["kind"], again["id"], again["chat"]) == ("repeated", message_id, first["chat"])
    await client.close()


def histories(spool: Path) -> list[dict[str, Any]]:
    return lines(spool, "history")


@pytest.mark.parametrize("inline", [True, False])
async def test_history_leaves_only_the_ids_of_its_messages(
    host: HostHandle, linked: Path, simulator: Simulator, tmp_path: Path, inline: bool
) -> None:
    control, spool = simulator.control, tmp_path / "a.spool"
    old = {control.say(PERSON, NUMBER, "a text"), control.say(NUMBER, PERSON, "a text")}
    client = await open_linked(host, linked, tmp_path / "earlier.spool")
    await spooled(client, tmp_path / "earlier.spool", len(old))
    await client.close()
    client = await open_linked(host, linked, spool)
    ids = control.send_history(NUMBER, "full", inline=inline, older=2100)
    await spooled(client, spool, 1)  # the notice, which may come last
    await spooled_until(client, lambda: histories(spool)[-1]["open"] == 0)
    found = [each for line in histories(spool) for each in line["ids"]]
    assert set(found) == set(ids) > old and len(found) == len(ids) == 2102
    assert {line["client"] for line in histories(spool)} == {"a"}
    assert b"a text" not in spool.read_bytes() and b"old message" not in spool.read_bytes()
    await client.close()


async def test_history_that_does_not_come_is_given_up(
    host: HostHandle, linked: Path, simulator: Simulator, tmp_path: Path
) -> None:
    control, spool = simulator.control, tmp_path / "a.spool"
    client = await open_linked(host, linked, spool)
    control.arm("media_error", status=404)
    control.send_history(NUMBER)
    await spooled(client, spool, 1)
    await spooled_until(client, lambda: len(histories(spool)) == 2)
    assert {line["open"] for line in histories(spool)} <= {0, 1}
    assert histories(spool)[-1]["open"] == 0
    control.clear_faults()
    await client.close()


async def test_nothing_is_subscribed_without_a_spool(
    host: HostHandle, linked: Path, simulator: Simulator
) -> None:
    client = await open_linked(host, linked)
    simulator.control.say(PERSON, NUMBER, "olá")
    await until(
        lambda: simulator.control.sent(NUMBER)[0]["state"] == "receipted", "the confirmation"
    )
    assert not client.spooled.is_set()
    assert await client.trim_spool(1) == 0
    await client.close()


async def test_close_in_a_burst_keeps_every_confirmed_message(
    host: HostHandle, linked: Path, simulator: Simulator, tmp_path: Path
) -> None:
    spool = tmp_path / "a.spool"
    client = await open_linked(host, linked, spool)

    def write() -> None:
        for number in range(BURST):
            simulator.control.say(PERSON, NUMBER, f"text {number}")

    writing = asyncio.create_task(asyncio.to_thread(write))
    await spooled(client, spool, BURST // 3)
    await client.close()
    await writing
    assert not host.stuck and not spools.is_in_use(spool)
    confirmed = {m["id"] for m in simulator.control.sent(NUMBER) if m["state"] == "receipted"}
    kept = [line["id"] for line in lines(spool)]
    assert len(kept) == len(set(kept)) >= BURST // 3
    assert confirmed <= set(kept)
    # What was not confirmed comes with the next login.
    again = await open_linked(host, linked, tmp_path / "b.spool")
    left = BURST - len(kept)
    await spooled(again, tmp_path / "b.spool", left)
    texts = [line["text"]["body"] for line in lines(spool) + lines(tmp_path / "b.spool")]
    assert sorted(texts) == sorted(f"text {number}" for number in range(BURST))
    await again.close()


async def test_killed_host_leaves_a_readable_spool_without_a_lock(
    host: HostHandle, linked: Path, simulator: Simulator, tmp_path: Path
) -> None:
    spool = tmp_path / "a.spool"
    client = await open_linked(host, linked, spool)
    simulator.control.say(PERSON, NUMBER, "olá")
    await spooled(client, spool, 1)
    assert spools.is_in_use(spool)
    os.kill(host.pid, signal.SIGKILL)
    await wait_for(client, "host_gone")
    assert [line["text"]["body"] for line in lines(spool)] == ["olá"]
    assert not spools.is_in_use(spool) and spools.remove(spool)


async def test_pairing_client_keeps_what_arrives_before_it_is_closed(
    fork_server: ForkServer, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.control.save_person(PERSON)
    spool = tmp_path / "pairing.spool"
    pairing_host = await fork_server.take()
    client = pairing_host.open(str(tmp_path / "new.sqlite3"), pairing=True, spool=str(spool))
    code = await wait_for(client, "code")
    simulator.control.scan(code["code"], number=NUMBER)
    await wait_for(client, "connected")
    simulator.control.say(PERSON, NUMBER, "first")
    await spooled(client, spool, 1)
    await client.close()
    assert [line["account"] for line in lines(spool)] == [NUMBER]
    pairing_host.kill()


async def test_full_disk_is_reported_and_does_not_block_the_close(
    host: HostHandle,
    linked: Path,
    simulator: Simulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "a.spool").symlink_to("/dev/full")
    client = await open_linked(host, linked, tmp_path / "a.spool")
    simulator.control.say(PERSON, NUMBER, "olá")

    def reasons() -> list[str]:
        failed = [record for record in caplog.records if "spool" in record.message]
        return [vars(record)["why"] for record in failed]

    await until(lambda: "ENOSPC" in reasons(), "the report")
    assert client.spool_blocked
    await client.close()
    assert not host.stuck and host.alive
    assert reasons()[-1] == "given up"


async def test_client_without_a_writable_spool_ends_with_the_reason(
    host: HostHandle, linked: Path, tmp_path: Path
) -> None:
    client = host.open(str(linked), spool=str(tmp_path / "none" / "a.spool"))
    ended = await client.next(SECONDS)
    assert (ended["event"], ended["cause"]) == ("ended", "store")
    assert "No such file" in ended["error"]
    await client.close()
