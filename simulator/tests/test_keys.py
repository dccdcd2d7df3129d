"""Keys and lists of devices, against a light companion: what is handed out, and to whom."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from simulator import wire
from simulator.jids import LID_SERVER, Jid
from simulator.messages import uploaded
from simulator.nodes import Node
from simulator.phone import Phone, new_phone
from simulator.process import Simulator
from simulator.signal_session import KEY_TYPE, Unreadable, phone_bundle, read
from simulator.store import Device, Store
from simulator.world import World
from simulator.xeddsa import KeyPair, verify

from .light import Light
from .test_server import run

NUMBER = "5511987654321"


def numbered(number: int) -> list[Node]:
    return [Node("id", {}, number.to_bytes(3, "big")), Node("value", {}, bytes([number]) * 32)]


def upload(keys: int, **wrong: bytes) -> list[Node]:
    """What a companion uploads, with some of it spoiled."""
    signed = {"id": bytes(3), "value": bytes(32), "signature": bytes(64)}
    top = {"registration": bytes(4), "identity": bytes(32)}
    signed |= {name: data for name, data in wrong.items() if name in signed}
    top |= {name: data for name, data in wrong.items() if name in top}
    return [
        *(Node(name, {}, data) for name, data in top.items()),
        Node("list", {}, [Node("key", {}, numbered(n)) for n in range(1, keys + 1)]),
        Node("skey", {}, [Node(name, {}, data) for name, data in signed.items()]),
    ]


async def bundle(light: Light, jid: Jid) -> Node:
    asked = Node("key", {}, [Node("user", {"jid": jid, "reason": "identity"})])
    user = (await light.query("encrypt", "get", asked)).child("list", "user")
    assert user is not None and user.attrs["jid"] == jid
    return user


def test_devices_are_told_by_number_and_by_hidden_identity(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        linked = await light.link(simulator.control, NUMBER)
        success = await light.log_in()
        lid = success.attrs["lid"]
        assert isinstance(lid, Jid) and lid.server == LID_SERVER
        for jid in (Jid(NUMBER, "s.whatsapp.net"), Jid(lid.user, LID_SERVER)):
            wanted = Node("query", {}, [Node("devices", {"version": "2"}), Node("lid")])
            asked = Node(
                "usync", {"sid": "1"}, [wanted, Node("list", {}, [Node("user", {"jid": jid})])]
            )
            user = (await light.query("usync", "get", asked)).child("usync", "list", "user")
            assert user is not None and user.attrs["jid"] == jid
            listed, hidden = user.child("devices", "device-list"), user.child("lid")
            assert listed is not None and hidden is not None
            assert [device.get("id") for device in listed.children()] == ["0", "1"]
            assert hidden.attrs["val"] == Jid(lid.user, LID_SERVER)
        assert linked.jid == f"{NUMBER}:1@s.whatsapp.net"

    run(simulator, step)


def test_each_one_time_key_is_handed_out_once(simulator: Simulator) -> None:
    async def step(light: Light) -> None:
        linked = await light.link(simulator.control, NUMBER)
        await light.log_in()
        own = Jid(NUMBER, "s.whatsapp.net", 1)
        assert str(own) == linked.jid
        assert (await bundle(light, own)).child("error"), "it has not uploaded any"
        for spoiled in ("registration", "identity", "id", "value", "signature"):
            await light.query("encrypt", "set", *upload(2, **{spoiled: bytes(99)}))
            assert (await bundle(light, own)).child("error"), spoiled
        await light.query("encrypt", "set", *upload(2))
        keys = [(await bundle(light, own)).child("key", "id") for _ in range(3)]
        assert [key.data()[-1] if key else None for key in keys] == [1, 2, None]
        assert (await bundle(light, own)).child("skey", "signature")
        assert (await bundle(light, Jid(NUMBER, "s.whatsapp.net", 7))).child("error")
        assert (await bundle(light, Jid("5511900000000", "s.whatsapp.net"))).child("error")

    run(simulator, step)


def test_phone_hands_out_keys_that_it_signed() -> None:
    phone = new_phone()
    first, second = (phone_bundle(phone.keys, phone.raw_id) for _ in range(2))
    assert first.identity == phone.keys.public
    assert verify(phone.keys.public, KEY_TYPE + first.signed, first.signature)
    assert (first.signed, first.signed_id) == (second.signed, second.signed_id)
    assert first.key != second.key and first.key_id != second.key_id


def test_what_is_no_message_is_unreadable() -> None:
    chance, keys, public = random.Random(7), KeyPair(), KEY_TYPE + KeyPair().public
    inner = b"\x33" + wire.encode({1: public, 2: 3, 4: bytes(32)}) + bytes(8)
    whole = b"\x33" + wire.encode({1: 5, 2: public, 3: public, 4: inner, 5: 1, 6: 1})
    for _ in range(300):
        spoiled = bytearray(whole)
        spoiled[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        for data in (bytes(spoiled), whole[: chance.randrange(len(whole))], os.urandom(60)):
            with pytest.raises(Unreadable):
                read(keys, data)
    far = b"\x33" + wire.encode({1: public, 2: 10**9, 4: bytes(32)}) + bytes(8)
    with pytest.raises(Unreadable, match="too far"):
        read(keys, b"\x33" + wire.encode({2: public, 3: public, 4: far, 6: 1}))


def test_uploaded_keys_outlive_the_process_and_end_with_the_device(tmp_path: Path) -> None:
    found = uploaded(Node("iq", {}, upload(2)))
    assert found is not None

    async def left(forget: bool) -> list[int | None]:
        store = Store(tmp_path / "world.db")
        world = World(store)
        phone: Phone = world.phone(NUMBER)
        device = Device(phone, 1, bytes(32), bytes(32))
        if forget:
            world.forget(device)
        bundles = [world.take_bundle(device)]
        if not world.devices:
            world.link(device)
            world.upload(device, *found)
        store.close()
        return [bundle.key_id if bundle else -1 for bundle in bundles]

    assert [asyncio.run(left(forget)) for forget in (False, False, True, False)] == [
        [-1],
        [1],
        [-1],
        [1],
    ]
