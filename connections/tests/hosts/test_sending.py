"""Messages that the worker sends through real host processes to the simulator."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from connections.tests.support.host_processes import until
from connections.tests.support.linked_clients import (
    fork_server,
    host,
    link_store,
    open_linked,
    simulator,
    text_to,
    wait_for,
)
from connections.worker.child.library_client import FIRST_CALLBACK_SECONDS
from connections.worker.hosts.answers import SendResult
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from simulator.process import Simulator

__all__ = ["fork_server", "host", "simulator"]

pytestmark = pytest.mark.sqlite_only

FIRST, SECOND = "5511987650001", "5511987650002"
SECONDS = 15.0
SECRET = bytes(range(32))


async def test_sent_text_arrives_with_its_secret_in_the_store(
    fork_server: ForkServer, host: HostHandle, simulator: Simulator, tmp_path: Path
) -> None:
    database = tmp_path / "a.sqlite3"
    await link_store(fork_server, simulator, database, FIRST)
    client = await open_linked(host, database)
    before = time.time()
    result = await client.send(text_to(FIRST, "olá @5511", secret=SECRET.hex()), SECONDS)
    assert (result.error, result.maybe_sent, result.code) == ("", False, 0)
    assert before - 2 <= result.at <= time.time() + 2
    (arrived,) = simulator.control.messages(FIRST)
    assert (arrived["id"], arrived["text"]) == (result.id, "olá @5511")
    with closing(sqlite3.connect(database)) as store:
        query = "SELECT message_id FROM whatsmeow_message_secrets WHERE key = ?"
        assert store.execute(query, (SECRET,)).fetchall() == [(result.id,)]
    await client.close()
    late = await client.send(text_to(FIRST, "late"), SECONDS)
    assert (late.error, late.maybe_sent) == ("not_connected", False)


async def test_refused_text_returns_the_code_and_unknown_number_the_reason(
    fork_server: ForkServer, host: HostHandle, simulator: Simulator, tmp_path: Path
) -> None:
    database = tmp_path / "a.sqlite3"
    await link_store(fork_server, simulator, database, FIRST)
    client = await open_linked(host, database)
    unknown = await client.send(text_to("5511900000000", "hello"), SECONDS)
    assert (unknown.error, unknown.maybe_sent) == ("not_on_whatsapp", False)
    group = {"to": {"user": "1-2", "server": "g.us"}, "type": "text", "text": {"body": "hello"}}
    assert (await client.send(group, SECONDS)).error == "unsupported"
    poll = {**text_to(FIRST, "hello"), "type": "poll", "poll": {}}
    assert (await client.send(poll, SECONDS)).error == "unsupported"
    assert simulator.control.messages(FIRST) == []


async def test_silent_send_of_one_organization_holds_no_other(
    fork_server: ForkServer, host: HostHandle, simulator: Simulator, tmp_path: Path
) -> None:
    """The second client in the same host sends, stops and starts while the first waits."""
    databases = {number: tmp_path / f"{number}.sqlite3" for number in (FIRST, SECOND)}
    for number, database in databases.items():
        await link_store(fork_server, simulator, database, number)
    silent = await open_linked(host, databases[FIRST])
    other = await open_linked(host, databases[SECOND])
    simulator.control.arm("ack_lost", number=FIRST, count=1)
    waiting = asyncio.create_task(silent.send(text_to(FIRST, "silent"), SECONDS))
    queued = asyncio.create_task(silent.send(text_to(FIRST, "behind"), SECONDS))
    await until(lambda: not simulator.control.faults(), "the message that gets no answer")
    for text in ("one", "two"):
        assert (await other.send(text_to(SECOND, text), SECONDS)).error == ""
    await other.close()
    other = await open_linked(host, databases[SECOND])
    assert (await other.send(text_to(SECOND, "three"), SECONDS)).error == ""
    assert not waiting.done() and not queued.done()
    texts = [message["text"] for message in simulator.control.messages(SECOND)]
    assert texts == ["one", "two", "three"]
    await silent.close()
    assert (await waiting).maybe_sent
    assert await queued == SendResult(error="stopped")
    assert [message["text"] for message in simulator.control.messages(FIRST)] == ["silent"]


async def test_dial_that_hangs_holds_no_other_send(
    fork_server: ForkServer, host: HostHandle, simulator: Simulator, tmp_path: Path
) -> None:
    databases = {number: tmp_path / f"{number}.sqlite3" for number in (FIRST, SECOND)}
    for number, database in databases.items():
        await link_store(fork_server, simulator, database, number)
    client = await open_linked(host, databases[FIRST])
    simulator.control.arm("no_server_hello", count=1)
    before = time.monotonic()
    dialling = [host.open(str(databases[SECOND])), host.open(str(tmp_path / "new.sqlite3"))]
    await until(lambda: not simulator.control.faults(), "a dial that hangs")
    assert (await client.send(text_to(FIRST, "meanwhile"), SECONDS)).error == ""
    assert time.monotonic() - before < FIRST_CALLBACK_SECONDS, "what a start waits for its dial"
    assert all(other._events.empty() for other in dialling)


async def test_send_without_answer_of_a_killed_host_is_maybe_sent(
    fork_server: ForkServer, host: HostHandle, simulator: Simulator, tmp_path: Path
) -> None:
    database = tmp_path / "a.sqlite3"
    await link_store(fork_server, simulator, database, FIRST)
    client = await open_linked(host, database)
    simulator.control.arm("no_ack", number=FIRST, count=1)
    waiting = asyncio.create_task(client.send(text_to(FIRST, "hello"), SECONDS))
    timed_out = await client.send(text_to(FIRST, "never begun"), 0.2)
    assert (timed_out.error, timed_out.maybe_sent) == ("timed_out", True)
    host.kill("for the test")
    result = await waiting
    assert (result.error, result.maybe_sent) == ("lost", True)
    await wait_for(client, "host_gone")
