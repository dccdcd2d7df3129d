"""Stanzas that anybody may send do not end the client that gets them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
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
)
from connections.worker.child import library_contract, receipt_types
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from simulator.process import Simulator

__all__ = ["fork_server", "host", "simulator"]

pytestmark = pytest.mark.sqlite_only

NUMBER, PERSON = "5511987650001", "5511912345678"
SECONDS = 20.0


def encrypted(**attrs: str) -> dict[str, Any]:
    return {"tag": "enc", "attrs": attrs, "data": base64.b64encode(b"nonsense").decode()}


def message(*children: dict[str, Any], **attrs: str) -> dict[str, Any]:
    return {"tag": "message", "attrs": {"type": "text", **attrs}, "children": list(children)}


def receipt(*children: dict[str, Any], **attrs: str) -> dict[str, Any]:
    return {"tag": "receipt", "attrs": attrs, "children": list(children)}


STANZAS: dict[str, Mapping[str, Any]] = {
    "receipt: server-error": receipt(type="server-error"),
    "receipt: a type that nobody knows": receipt(type="made-up"),
    "receipt: hist_sync": receipt(type="hist_sync"),
    "receipt: played-self": receipt(type="played-self"),
    "receipt: retry without its part": receipt(type="retry"),
    "receipt: a list without ids": receipt({"tag": "list", "children": [{"tag": "item"}]}),
    "receipt: no time": receipt(t=""),
    "receipt: the sender is no JID": receipt(**{"from": "nobody"}),
    "message: empty": message(),
    "message: unknown encryption": message(encrypted(type="made-up", v="2")),
    "message: no version": message(encrypted(type="msg")),
    "message: cannot be read": message(encrypted(type="msg", v="2")),
    "message: unknown way to fail": message(
        encrypted(type="pkmsg", v="2", **{"decrypt-fail": "made-up"})
    ),
    "message: unavailable": message({"tag": "unavailable", "attrs": {"type": "made-up"}}),
    "message: name of a business": message(
        {"tag": "verified_name", "data": base64.b64encode(b"\xff\xff").decode()},
        encrypted(type="msg", v="2"),
    ),
    "message: control characters": message(
        encrypted(type="msg", v="2"), notify="\x00\x1b[2J\u202e", category="\n", edit="\x00"
    ),
    "call: unknown": {"tag": "call", "children": [{"tag": "made-up"}]},
    "call: empty": {"tag": "call"},
    "notification: unknown": {"tag": "notification", "attrs": {"type": "made-up"}},
    "notification: encrypt": {"tag": "notification", "attrs": {"type": "encrypt"}},
    "notification: devices": {"tag": "notification", "attrs": {"type": "devices"}},
    "notification: privacy_token": {"tag": "notification", "attrs": {"type": "privacy_token"}},
    "notification: picture": {
        "tag": "notification",
        "attrs": {"type": "picture"},
        "children": [{"tag": "set"}],
    },
    "notification: mediaretry": {"tag": "notification", "attrs": {"type": "mediaretry"}},
    "notification: newsletter": {"tag": "notification", "attrs": {"type": "newsletter"}},
    "notification: mex": {
        "tag": "notification",
        "attrs": {"type": "mex"},
        "children": [{"tag": "update", "data": base64.b64encode(b"{").decode()}],
    },
    "notification: status": {"tag": "notification", "attrs": {"type": "status"}},
}


@pytest.fixture
async def linked(fork_server: ForkServer, simulator: Simulator, tmp_path: Path) -> Path:
    """The store of a linked number; a person may write to it."""
    database = tmp_path / "a.sqlite3"
    await link_store(fork_server, simulator, database, NUMBER)
    simulator.control.save_person(PERSON, "Ana")
    return database


async def test_hostile_stanzas_leave_the_client_connected(
    host: HostHandle, linked: Path, simulator: Simulator, tmp_path: Path
) -> None:
    """After each of them the next message arrives, once and on the same connection."""
    spool = tmp_path / "a.spool"
    client = await open_linked(host, linked, spool)
    (before,) = simulator.control.logins(NUMBER)

    def has_arrived(message_id: str) -> bool:
        return any(line.get("id") == message_id for line in spooled_lines(spool))

    for name, stanza in STANZAS.items():
        simulator.control.send_stanza(PERSON, NUMBER, **stanza)
        sent = simulator.control.say(PERSON, NUMBER, f"after {name}")
        async with asyncio.timeout(SECONDS):
            while not has_arrived(sent):
                assert not client.ended, name
                await asyncio.sleep(0.02)
    texts = [line["text"]["body"] for line in spooled_lines(spool) if line.get("text")]
    assert texts == [f"after {name}" for name in STANZAS]
    assert simulator.control.logins(NUMBER) == [before]
    await until(lambda: not simulator.control.devices()[0]["waiting"], "confirmations")
    await client.close()


async def test_unknown_receipt_is_kept_as_such(
    host: HostHandle, linked: Path, simulator: Simulator, tmp_path: Path
) -> None:
    spool = tmp_path / "a.spool"
    client = await open_linked(host, linked, spool)
    stanza = simulator.control.send_stanza(PERSON, NUMBER, **STANZAS["receipt: server-error"])
    async with asyncio.timeout(SECONDS):
        while not (found := spooled_lines(spool)):
            await asyncio.sleep(0.02)
    assert [(line["kind"], line["ids"], line["type"]) for line in found] == [
        ("receipt", [stanza], "unknown")
    ]
    await client.close()


def test_other_library_is_left_alone(tmp_path: Path) -> None:
    """Nothing is changed where the field does not stand exactly once."""
    for times in (0, 2):
        library = tmp_path / f"{times}.so"
        library.write_bytes(b"\x00" + library_contract.RECEIPT_TYPE_FIELD * times)
        assert receipt_types.find_field(library) is None
    assert not receipt_types.make_optional(library, None)
    assert not receipt_types.make_optional(library, 1)
