"""Queries and other calls of real clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from connections.tests.support.linked_clients import (
    fork_server,
    host,
    link_store,
    open_linked,
    simulator,
)
from connections.worker.hosts.answers import Resolved
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from simulator.process import Simulator

__all__ = ["fork_server", "host", "simulator"]

pytestmark = pytest.mark.sqlite_only

NUMBER, PERSON, UNKNOWN = "5511987650001", "5511912345678", "5511900000000"
SECONDS = 15.0


@pytest.fixture
async def client(
    fork_server: ForkServer, host: HostHandle, simulator: Simulator, tmp_path: Path
) -> ClientHandle:
    database = tmp_path / "a.sqlite3"
    await link_store(fork_server, simulator, database, NUMBER)
    return await open_linked(host, database, tmp_path / "a.spool")


async def test_number_resolves_to_the_accounts_own_spelling(
    client: ClientHandle, simulator: Simulator
) -> None:
    person = simulator.control.save_person(PERSON)
    asked = [f"+{PERSON}", f"+{UNKNOWN}"]
    found = await client.resolve(asked, SECONDS)
    assert found == Resolved(
        "", {asked[0]: {"lid": person["lid"], "phone": PERSON}, asked[1]: None}
    )
    assert await client.resolve(asked[1:], SECONDS) == Resolved("", {asked[1]: None})
    await client.close()
    assert await client.resolve(asked, SECONDS) == Resolved("not_connected")


async def test_call_without_an_open_client_answers_at_once(
    host: HostHandle, tmp_path: Path
) -> None:
    """The start may have failed, or a close may have overtaken it."""
    client = host._start_client("", {"do": "allow_relink"})
    result = await client.send({"to": None, "type": "text", "text": {"body": "hello"}}, SECONDS)
    assert (result.error, result.maybe_sent) == ("not_connected", False)
    assert await client.resolve(["+1"], SECONDS) == Resolved("not_connected")
    assert (await client.download("", str(tmp_path / "x"), 1, SECONDS)).error == "failed"
    client.typing("1@lid", on=True)
    assert await client.mark_read(["1"], "1@lid", "1@lid", False, SECONDS) == "not_connected"
    assert host.alive
