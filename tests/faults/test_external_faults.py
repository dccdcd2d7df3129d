"""That trouble is real: a test that harms nothing proves nothing."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults import external_faults
from tests.lifecycle.test_reconnect import link, online
from tests.support.application import Application, until

pytestmark = pytest.mark.skipif(not external_faults.IN_FILES, reason=external_faults.NOT_IN_FILES)
mounts = pytest.mark.skipif(not external_faults.can_mount(), reason=external_faults.CANNOT_MOUNT)


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A product that other tests do not suffer from; each test here leaves it well."""
    with Application(tmp_path_factory.mktemp("trouble") / "data") as running:
        yield running


MATES = 3  # in the same host


@pytest.fixture
def linked(harmed: Application, request: pytest.FixtureRequest) -> tuple[int, str]:
    """An organization that is linked, and its number."""
    organization = harmed.new_organizations(f"Organization of {request.node.name}")[0]
    return organization, link(harmed, organization)


def test_the_processes_are_told_apart(harmed: Application, linked: tuple[int, str]) -> None:
    host = external_faults.host_of(harmed, linked[0])
    fork_server = external_faults.fork_server(harmed)
    assert harmed.process is not None
    assert host in external_faults.host_processes(harmed)
    assert len({host, fork_server, harmed.process.pid}) == 3
    assert fork_server not in external_faults.host_processes(harmed)
    assert external_faults.holders(harmed, 999_999) == set()


def test_a_stopped_host_stands_still(harmed: Application, linked: tuple[int, str]) -> None:
    host = external_faults.host_of(harmed, linked[0])
    with external_faults.stopped(host):
        assert "State:\tT" in Path(f"/proc/{host}/status").read_text()
    assert "State:\tT" not in Path(f"/proc/{host}/status").read_text()


def test_what_is_gone_can_be_harmed_all_the_same(harmed: Application) -> None:
    ended = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(ended, 0)
    with external_faults.stopped(ended):
        external_faults.out_of_memory(ended)
        external_faults.kill(ended)
    assert external_faults.gone(ended)


def test_a_host_without_memory_dies_and_its_organizations_come_back(
    harmed: Application, linked: tuple[int, str]
) -> None:
    organization, number = linked
    mates = harmed.new_organizations(*(f"Mate {n}" for n in range(MATES)))
    for mate in mates:
        link(harmed, mate)

    def dies() -> bool:
        host = external_faults.host_of(harmed, organization)
        # Each message that waits for its answer holds a thread, and each further one needs another.
        fault = harmed.simulator.arm("no_ack")
        with ThreadPoolExecutor(1 + MATES) as pool:

            def use() -> None:
                for one in (organization, *mates):
                    pool.submit(harmed.api, "POST", one, "test-message")

            died = external_faults.out_of_memory(host, use)
        harmed.simulator.clear_faults(fault)
        until(lambda: online(harmed, number), 30, "the device online again")
        harmed.wait_for_state(organization, "connected", 30)
        assert external_faults.gone(host)
        return died

    assert any(dies() for _ in range(4)), "it was never the missing memory that ended it"


def test_a_locked_database_can_be_read_and_not_written(harmed: Application) -> None:
    with external_faults.database_locked(harmed):
        assert read(harmed)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write(harmed)
    write(harmed)


def test_a_database_that_is_away_keeps_everyone_waiting(harmed: Application) -> None:
    with ThreadPoolExecutor(1) as pool:
        with external_faults.database_away(harmed):
            reading = pool.submit(read, harmed)
            with pytest.raises(TimeoutError):
                reading.result(1)
        assert reading.result(30)
    write(harmed)


def test_corrupt_credentials_cannot_be_read(harmed: Application, linked: tuple[int, str]) -> None:
    organization, _ = linked
    folder = harmed.data_dir / "auth_sessions" / str(organization)
    external_faults.kill(external_faults.host_of(harmed, organization))
    external_faults.corrupt(folder)
    for path in folder.glob("*/*.sqlite3"):
        with closing(sqlite3.connect(path)) as database, pytest.raises(sqlite3.DatabaseError):
            database.execute("SELECT jid FROM whatsmeow_device").fetchall()


@mounts
def test_a_small_disk_is_full_and_read_only_for_the_product_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    folder = data / "auth_sessions"
    with (
        external_faults.SmallDisk(folder, megabytes=8) as disk,
        Application(data, prefix=disk.prefix) as application,
    ):
        inside = disk.seen(folder)
        number = link(application, organization := application.organization())
        assert (inside / str(organization)).is_dir()
        assert not list(folder.iterdir()), "the machine's own disk has nothing of it"

        disk.fill()
        assert refused(inside) == errno.ENOSPC
        disk.make_room()
        assert refused(inside) == 0
        disk.read_only()
        assert refused(inside) == errno.EROFS
        disk.writable()
        assert refused(inside) == 0

        application.kill()
        application.start()
        application.wait_for_state(organization, "connected", 30)
        assert online(application, number), "the disk outlives the product's processes"


def read(application: Application) -> list[tuple[int]]:
    """What any reader does, in a connection of its own."""
    with closing(
        sqlite3.connect(application.data_dir / external_faults.DATABASE, timeout=60)
    ) as database:
        return database.execute("SELECT id FROM organizations_organization").fetchall()


def write(application: Application) -> None:
    """What any writer does, with little patience."""
    path = application.data_dir / external_faults.DATABASE
    with closing(sqlite3.connect(path, timeout=0.5, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")


def refused(folder: Path) -> int:
    """The error number of writing a file in a folder; 0 for none."""
    path = folder / "probe"
    try:
        path.write_bytes(b"x")
    except OSError as error:
        return error.errno or -1
    path.unlink()
    return 0
