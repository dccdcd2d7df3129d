"""Prekey bundles and device lists, with a light client."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from simulator import wire
from simulator.chats.directory import parse_upload
from simulator.jids import LID_SERVER, Jid
from simulator.nodes import Node
from simulator.phone import Phone, new_phone
from simulator.process import Simulator
from simulator.signal.identity import Identity
from simulator.signal.primitives import KEY_TYPE, Unreadable
from simulator.signal.session import SignalSession
from simulator.store import Device, Store
from simulator.world import World
from simulator.xeddsa import KeyPair, verify

from .light_client import LightClient
from .test_server import run

NUMBER = "5511987654321"


def key_nodes(number: int) -> list[Node]:
    return [Node("id", {}, number.to_bytes(3, "big")), Node("value", {}, bytes([number]) * 32)]


def upload(keys: int, **wrong: bytes) -> list[Node]:
    """Return the upload of a companion, with the parts in `wrong` replaced."""
    signed = {"id": bytes(3), "value": bytes(32), "signature": bytes(64)}
    top = {"registration": bytes(4), "identity": bytes(32)}
    signed |= {name: data for name, data in wrong.items() if name in signed}
    top |= {name: data for name, data in wrong.items() if name in top}
    return [
        *(Node(name, {}, data) for name, data in top.items()),
        Node("list", {}, [Node("key", {}, key_nodes(n)) for n in range(1, keys + 1)]),
        Node("skey", {}, [Node(name, {}, data) for name, data in signed.items()]),
    ]


async def bundle(client: LightClient, jid: Jid) -> Node:
    shown_code = Node("key", {}, [Node("user", {"jid": jid, "reason": "identity"})])
    user = (await client.query("encrypt", "get", shown_code)).child("list", "user")
    assert user is not None and user.attrs["jid"] == jid
    return user


def test_devices_are_listed_by_number_and_by_lid(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        linked = await client.link(simulator.control, NUMBER)
        success = await client.log_in()
        lid = success.attrs["lid"]
        assert isinstance(lid, Jid) and lid.server == LID_SERVER
        for jid in (Jid(NUMBER, "s.whatsapp.net"), Jid(lid.user, LID_SERVER)):
            wanted = Node("query", {}, [Node("devices", {"version": "2"}), Node("lid")])
            shown_code = Node(
                "usync", {"sid": "1"}, [wanted, Node("list", {}, [Node("user", {"jid": jid})])]
            )
            user = (await client.query("usync", "get", shown_code)).child("usync", "list", "user")
            assert user is not None and user.attrs["jid"] == jid
            listed, hidden = user.child("devices", "device-list"), user.child("lid")
            assert listed is not None and hidden is not None
            assert [device.get("id") for device in listed.children()] == ["0", "1"]
            assert hidden.attrs["val"] == Jid(lid.user, LID_SERVER)
        assert linked.jid == f"{NUMBER}:1@s.whatsapp.net"

    run(simulator, step)


def test_each_one_time_key_is_given_once(simulator: Simulator) -> None:
    async def step(client: LightClient) -> None:
        linked = await client.link(simulator.control, NUMBER)
        await client.log_in()
        own = Jid(NUMBER, "s.whatsapp.net", 1)
        assert str(own) == linked.jid
        assert (await bundle(client, own)).child("error"), "it has not uploaded any"
        for corrupted in ("registration", "identity", "id", "value", "signature"):
            await client.query("encrypt", "set", *upload(2, **{corrupted: bytes(99)}))
            assert (await bundle(client, own)).child("error"), corrupted
        await client.query("encrypt", "set", *upload(2))
        keys = [(await bundle(client, own)).child("key", "id") for _ in range(3)]
        assert [key.data()[-1] if key else None for key in keys] == [1, 2, None]
        assert (await bundle(client, own)).child("skey", "signature")
        assert (await bundle(client, Jid(NUMBER, "s.whatsapp.net", 7))).child("error")
        assert (await bundle(client, Jid("5511900000000", "s.whatsapp.net"))).child("error")

    run(simulator, step)


def test_phone_bundle_is_signed_by_the_phone() -> None:
    phone = new_phone()
    identity = Identity(phone.keys, phone.raw_id)
    first, second = (identity.bundle() for _ in range(2))
    assert first.identity == phone.keys.public
    assert verify(phone.keys.public, KEY_TYPE + first.signed, first.signature)
    assert (first.signed, first.signed_id) == (second.signed, second.signed_id)
    assert first.key != second.key and first.key_id != second.key_id


def test_invalid_message_is_unreadable() -> None:
    chance, keys, public = random.Random(7), KeyPair(), KEY_TYPE + KeyPair().public
    inner = b"\x33" + wire.encode({1: public, 2: 3, 4: bytes(32)}) + bytes(8)
    valid = b"\x33" + wire.encode({1: 5, 2: public, 3: public, 4: inner, 5: 1, 6: 1})
    for _ in range(300):
        corrupted = bytearray(valid)
        corrupted[chance.randrange(len(valid))] ^= 1 << chance.randrange(8)
        for data in (bytes(corrupted), valid[: chance.randrange(len(valid))], os.urandom(60)):
            with pytest.raises(Unreadable):
                SignalSession(Identity(keys, 1)).decrypt("pkmsg", data)
    far = b"\x33" + wire.encode({1: public, 2: 10**9, 4: bytes(32)}) + bytes(8)
    with pytest.raises(Unreadable, match="too far"):
        opening = b"\x33" + wire.encode({2: public, 3: public, 4: far, 6: 1})
        SignalSession(Identity(keys, 1)).decrypt("pkmsg", opening)


def test_uploaded_keys_persist_until_the_device_is_deleted(tmp_path: Path) -> None:
    parsed = parse_upload(Node("iq", {}, upload(2)))
    assert parsed is not None

    async def taken_key_ids(delete: bool) -> list[int | None]:
        store = Store(tmp_path / "world.db")
        world = World(store)
        phone: Phone = world.phone(NUMBER)
        device = Device(phone, 1, bytes(32), bytes(32))
        if delete:
            world.remove_device(device)
        bundles = [world.take_bundle(device)]
        if not world.devices:
            world.link(device)
            world.upload(device, *parsed)
        store.close()
        return [bundle.key_id if bundle else -1 for bundle in bundles]

    assert [asyncio.run(taken_key_ids(delete)) for delete in (False, False, True, False)] == [
        [-1],
        [1],
        [-1],
        [1],
    ]
