"""Endings of a link with neonize: logout, unlink, replacement; and a simulator's restart."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator, start

from .companions import companion, link


def test_logout_deletes_the_device(simulator: Simulator, database: Path) -> None:
    link(simulator, database)
    before = simulator.control.stats()["logouts"]
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        alice.send_command("logout")
        alice.wait("logout_done", forbidden=("LoggedOut",))
        assert simulator.control.devices() == []
        assert simulator.control.stats()["logouts"] == before + 1
    with companion(simulator, database) as alice:
        alice.wait("qr", forbidden=("Connected",))


def test_unlinked_client_gets_logged_out(simulator: Simulator, database: Path) -> None:
    jid, number = link(simulator, database)
    stale = shutil.copy(database, database.with_name("stale.db"))
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        assert simulator.control.unlink(number=number) == [jid]
        assert alice.wait("LoggedOut")["OnConnect"] is False
    with companion(simulator, Path(stale)) as alice:
        assert alice.wait("LoggedOut")["OnConnect"] is True
    with pytest.raises(ControlError) as missing:
        simulator.control.unlink(jid=jid)
    assert missing.value.status == 404


def test_second_login_replaces_the_first(simulator: Simulator, database: Path) -> None:
    link(simulator, database)
    other = shutil.copy(database, database.with_name("other.db"))
    with companion(simulator, database) as alice:
        alice.wait("Connected")
        before = simulator.control.stats()["replaced"]
        with companion(simulator, Path(other)) as bob:
            bob.wait("Connected")
            alice.wait("StreamReplaced")
            after = simulator.control.stats()
            assert (after["online"], after["replaced"]) == (1, before + 1)


def test_each_scan_of_a_phone_is_a_new_device(simulator: Simulator, tmp_path: Path) -> None:
    _, number = link(simulator, tmp_path / "first.db")
    jid, _ = link(simulator, tmp_path / "second.db", number)
    simulator.control.unlink(jid=jid)
    third, _ = link(simulator, tmp_path / "third.db", number)
    assert [jid.partition("@")[0] for jid in (jid, third)] == [f"{number}:2", f"{number}:3"]


def test_killed_simulator_keeps_its_devices(database: Path, tmp_path: Path) -> None:
    first = start(tmp_path / "state")
    try:
        jid, _ = link(first, database)
        with companion(first, database) as alice:
            alice.wait("Connected")
            first.kill()
            alice.wait("Disconnected")
            with start(tmp_path / "state") as second:
                assert second.proxy_url == first.proxy_url
                assert second.noise_root == first.noise_root
                alice.wait("Connected")
                assert [device["jid"] for device in second.control.devices()] == [jid]
    finally:
        if first.process.poll() is None:
            first.kill()
