"""Faults, device numbers and persistence, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.faults import Faults
from simulator.jids import parse_jid
from simulator.store import Device, Store
from simulator.world import DeviceLimitReached, World


@dataclass
class Target:
    id: str = "c1"
    number: str = "5511987654321"


ALICE, BOB = Target(), Target("c2", "5511900000000")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(tmp_path / "world.db")
    yield World(store)
    store.close()


@pytest.mark.parametrize(
    ("scope", "alice", "bob"),
    [
        ({}, True, True),
        ({"number": ALICE.number}, True, False),
        ({"connection": "c2"}, False, True),
    ],
)
def test_fault_applies_in_its_scope_only(scope: dict[str, str], alice: bool, bob: bool) -> None:
    faults = Faults()
    faults.arm("silence", **scope)  # type: ignore[arg-type]
    assert (bool(faults.take("silence", ALICE)), bool(faults.take("silence", BOB))) == (alice, bob)
    assert faults.take("delay", ALICE) is None


def test_fault_ends_by_count_by_time_or_when_cleared() -> None:
    now = [100.0]
    faults = Faults(lambda: now[0])
    faults.arm("failure", count=2)
    assert [bool(faults.take("failure", ALICE)) for _ in range(3)] == [True, True, False]
    faults.arm("silence", seconds=5)
    now[0] += 4.9
    assert faults.take("silence", ALICE)
    now[0] += 0.2
    assert not faults.take("silence", ALICE)
    fault = faults.arm("drop")
    assert faults.take_now(ALICE) is fault
    assert (faults.clear(fault.id), faults.clear(fault.id), faults.armed()) == (1, 0, [])


def test_invalid_faults_are_refused() -> None:
    faults = Faults()
    with pytest.raises(ValueError, match="unknown kind"):
        faults.arm("earthquake")
    with pytest.raises(ValueError, match="unknown parameters"):
        faults.arm("delay", params={"hours": 1})
    with pytest.raises(ValueError, match="for all"):
        faults.arm("refuse", number=ALICE.number)
    with pytest.raises(ValueError, match="for a number or for all"):
        faults.arm("failure", connection="c1")


def test_world_is_restored_from_its_store(world: World, tmp_path: Path) -> None:
    phone = world.phone("5511987654321", "Alice", "iphone")
    device = Device(phone, world.new_device_number(phone), bytes(32), bytes(32), 812, 1)
    world.link(device)
    world.set_refs(3)
    other = Store(tmp_path / "world.db")
    again = World(other)
    other.close()
    assert again.devices == {parse_jid("5511987654321:1@s.whatsapp.net"): again.devices[device.jid]}
    copy = again.devices[device.jid]
    assert (copy.prekeys, copy.logins, copy.phone.name, copy.phone.last_device) == (
        812,
        1,
        "Alice",
        1,
    )
    assert (copy.phone.keys.public, copy.phone.lid) == (phone.keys.public, phone.lid)
    assert again.settings.refs == 3
    assert (tmp_path / "world.db").stat().st_mode & 0o777 == 0o600


def test_link_after_a_reset_stores_the_phone_again(world: World, tmp_path: Path) -> None:
    phone = world.phone("5511987654321")
    world.delete_all()
    world.link(Device(phone, 1, bytes(32), bytes(32)))
    other = Store(tmp_path / "world.db")
    assert len(World(other).devices) == 1
    other.close()


def test_device_numbers_are_not_reused_until_they_run_out(world: World) -> None:
    phone = world.phone("5511987654321")
    devices = []
    for expected in range(1, 256):
        assert world.new_device_number(phone) == expected
        devices.append(Device(phone, expected, bytes(32), bytes(32)))
        world.link(devices[-1])
    with pytest.raises(DeviceLimitReached):
        world.new_device_number(phone)
    world.remove_device(devices[6])
    assert world.new_device_number(phone) == 7


def test_random_numbers_are_unique(world: World) -> None:
    numbers = {world.phone(None).number for _ in range(200)}
    assert len(numbers) == 200
    assert all(len(number) == 13 and number.startswith("55119") for number in numbers)
