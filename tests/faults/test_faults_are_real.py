"""That the faults are real: a test in which nothing goes wrong proves nothing."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import host_processes
from tests.support.application import Application, until
from tests.support.faults import IN_FILES, NOT_IN_FILES, databases, disks, processes
from tests.support.linking import link, online

pytestmark = pytest.mark.skipif(not IN_FILES, reason=NOT_IN_FILES)
mounts = pytest.mark.skipif(not disks.can_mount(), reason=disks.CANNOT_MOUNT)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A product that other tests do not suffer from; each test here leaves it well."""
    with Application(tmp_path_factory.mktemp("trouble") / "data") as running:
        yield running


MATES = 3  # in the same host


@pytest.fixture
def linked(product: Application, request: pytest.FixtureRequest) -> tuple[int, str]:
    """An organization that is linked, and its number."""
    organization = product.new_organizations(f"Organization of {request.node.name}")[0]
    return organization, link(product, organization)


def test_fork_server_and_hosts_are_distinguished(
    product: Application, linked: tuple[int, str]
) -> None:
    host = host_processes.host_of(product, linked[0])
    fork_server = host_processes.fork_server(product)
    assert product.process is not None
    assert host in host_processes.host_processes(product)
    assert len({host, fork_server, product.process.pid}) == 3
    assert fork_server not in host_processes.host_processes(product)
    assert host_processes.hosts_with_credentials(product, 999_999) == set()


def test_stopped_host_is_in_state_t(product: Application, linked: tuple[int, str]) -> None:
    host = host_processes.host_of(product, linked[0])
    with processes.stopped(host):
        assert "State:\tT" in Path(f"/proc/{host}/status").read_text()
    assert "State:\tT" not in Path(f"/proc/{host}/status").read_text()


def test_faults_tolerate_an_ended_process(product: Application) -> None:
    ended = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(ended, 0)
    with processes.stopped(ended):
        processes.out_of_memory(ended)
        processes.kill(ended)
    assert host_processes.gone(ended)


def test_host_without_memory_dies_and_organizations_recover(
    product: Application, linked: tuple[int, str]
) -> None:
    organization, number = linked
    neighbours = product.new_organizations(*(f"Mate {n}" for n in range(MATES)))
    for neighbour in neighbours:
        link(product, neighbour)

    def dies() -> bool:
        host = host_processes.host_of(product, organization)
        # Each message that waits for its answer holds a thread, and each further one needs another.
        fault = product.simulator.arm("no_ack")
        with ThreadPoolExecutor(1 + MATES) as pool:

            def use() -> None:
                for one in (organization, *neighbours):
                    pool.submit(product.api, "POST", one, "test-message")

            died = processes.out_of_memory(host, use)
        product.simulator.clear_faults(fault)
        until(lambda: online(product, number), 30, "the device online again")
        product.wait_for_state(organization, "connected", 30)
        assert host_processes.gone(host)
        return died

    assert any(dies() for _ in range(4)), "it was never the missing memory that ended it"


def test_locked_database_is_readable_and_not_writable(product: Application) -> None:
    with databases.locked(product):
        assert read(product)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write(product)
    write(product)


def test_database_away_blocks_readers(product: Application) -> None:
    with ThreadPoolExecutor(1) as pool:
        with databases.away(product):
            reading = pool.submit(read, product)
            with pytest.raises(TimeoutError):
                reading.result(1)
        assert reading.result(30)
    write(product)


def test_corrupt_credentials_are_unreadable(product: Application, linked: tuple[int, str]) -> None:
    organization, _ = linked
    folder = product.data_dir / "auth_sessions" / str(organization)
    processes.kill(host_processes.host_of(product, organization))
    disks.corrupt(folder)
    for path in folder.glob("*/*.sqlite3"):
        with closing(sqlite3.connect(path)) as database, pytest.raises(sqlite3.DatabaseError):
            database.execute("SELECT jid FROM whatsmeow_device").fetchall()


@mounts
def test_small_disk_affects_the_product_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    folder = data / "auth_sessions"
    with (
        disks.SmallDisk(folder, megabytes=8) as disk,
        Application(data, prefix=disk.prefix) as application,
    ):
        inside = disk.outside_path(folder)
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
        sqlite3.connect(application.data_dir / databases.DATABASE, timeout=60)
    ) as database:
        return database.execute("SELECT id FROM organizations_organization").fetchall()


def write(application: Application) -> None:
    """What any writer does, with little patience."""
    path = application.data_dir / databases.DATABASE
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
