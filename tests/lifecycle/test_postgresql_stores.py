"""Credentials in PostgreSQL, and moving them there and back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.application import ROOT, Application, until
from tests.support.linking import decode, link, online
from tests.support.services import Postgres

OUTAGE_SECONDS = 30.0
# The server believes anyone; what matters is where it turns up.
PASSWORD = "hunter2hunter2"
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'wa\\_%' ORDER BY 1"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture
def product(postgres: Postgres, tmp_path: Path) -> Iterator[Application]:
    """A product with its own PostgreSQL."""
    url = postgres.new_database(f"product_{os.urandom(6).hex()}")
    url = url.replace("postgres@", f"postgres:{PASSWORD}@")
    with Application(tmp_path / "application", DATABASE_URL=url) as running:
        yield running
        assert PASSWORD not in running.log_text()


def schemas(product: Application, postgres: Postgres, organization: int) -> list[str]:
    """The stores of an organization, as PostgreSQL sees them."""
    database = product.environment["DATABASE_URL"].rpartition("/")[2]
    found = [str(name) for (name,) in postgres.sql(SCHEMAS, database)]
    return [name for name in found if name.startswith(f"wa_{organization}_")]


def reason(product: Application, organization: int) -> str:
    return str(product.api("GET", organization, "status").body["reason"])


def qrcode(product: Application, organization: int) -> int:
    return product.api("GET", organization, "qrcode").status


def test_store_survives_a_kill_and_is_deleted_by_a_disconnect(
    product: Application, postgres: Postgres
) -> None:
    organization = product.organization()
    number = link(product, organization)
    assert len(schemas(product, postgres, organization)) == 1
    assert not (product.data_dir / "auth_sessions").exists()
    for process in product.processes():
        assert PASSWORD.encode() not in Path(f"/proc/{process}/cmdline").read_bytes()
    product.kill()
    product.start()
    # The dead worker's share is taken over when its heartbeat has been missing for long enough.
    until(lambda: reason(product, organization) == "resumed", 40, "the link taken over")
    assert product.wait_for_state(organization, "connected")["number"] == number
    until(lambda: online(product, number), 10, "the device online")
    assert product.api("DELETE", organization, "disconnect").status == 200
    assert schemas(product, postgres, organization) == []
    assert number not in [found["number"] for found in product.simulator.devices()]
    assert link(product, organization), "and a fresh pairing after it"


def test_failed_attempts_leave_no_store(product: Application, postgres: Postgres) -> None:
    organization = product.organization()
    for _ in range(3):
        assert product.api("POST", organization, "reconnect").status == 200
        assert len(schemas(product, postgres, organization)) == 1
        assert product.api("DELETE", organization, "disconnect").status == 200
        assert schemas(product, postgres, organization) == []


def test_number_of_another_organization_changes_neither(
    product: Application, postgres: Postgres
) -> None:
    first, second = product.organization(0), product.organization(1)
    number = link(product, first)
    before = schemas(product, postgres, first)
    answer = product.api("POST", second, "reconnect")
    product.simulator.scan(decode(answer), number=number)
    assert product.wait_for_state(second, "action_needed")["reason"] == "number_in_use"
    until(lambda: schemas(product, postgres, second) == [], 10, "no store of the second")
    assert schemas(product, postgres, first) == before
    assert product.wait_for_state(first, "connected")["number"] == number


def test_postgresql_restart_ends_no_link(tmp_path: Path) -> None:
    """Short and long restarts end no link and need no user."""
    with (
        Postgres() as own,
        Application(tmp_path / "application", DATABASE_URL=own.url) as product,
    ):
        organization = product.organization()
        number = link(product, organization)
        for how in (signal.SIGINT, signal.SIGQUIT):
            own.end(how)
            own.start()
            assert product.wait_for_state(organization, "connected", 60)["number"] == number
            until(lambda: online(product, number), 30, "the device online")
        resumes = product.simulator.stats()["resumes"]
        own.end(signal.SIGINT)
        product.simulator.drop(number=number)
        own.start()
        until(lambda: product.simulator.stats()["resumes"] > resumes, 90, "another login")
        assert product.wait_for_state(organization, "connected", 60)["number"] == number


def test_store_outage_at_the_start_delays_the_link(tmp_path: Path) -> None:
    """A worker that finds PostgreSQL away when it resumes waits, and needs no person."""
    with (
        Postgres() as stores,
        Application(
            tmp_path / "application", AUTH_SESSIONS="database", AUTH_SESSIONS_URL=stores.url
        ) as product,
    ):
        organization = product.organization()
        number = link(product, organization)
        product.stop()
        stores.end(signal.SIGINT)
        product.start()
        until(
            lambda: "the credentials are unavailable" in product.log_text(), 30, "a line in the log"
        )
        assert product.api("GET", organization, "status").body["state"] != "action_needed"
        stores.start()
        assert product.wait_for_state(organization, "connected", 60)["number"] == number
        until(lambda: online(product, number), 10, "the device online")


def test_code_survives_an_outage(tmp_path: Path) -> None:
    """Half a minute without PostgreSQL; the code on the screen is good afterwards."""
    with (
        Postgres() as own,
        Application(tmp_path / "application", DATABASE_URL=own.url) as product,
    ):
        organization = product.organization()
        assert product.api("POST", organization, "reconnect").status == 200
        own.end(signal.SIGINT)
        time.sleep(OUTAGE_SECONDS)
        own.start()
        until(lambda: qrcode(product, organization) == 200, 30, "a code again")
        product.simulator.scan(decode(product.api("GET", organization, "qrcode")))
        product.wait_for_state(organization, "connected", 30)


def test_move_there_and_back_needs_no_scan(tmp_path: Path, postgres: Postgres) -> None:
    """Linked with folders; moved, and connected; moved back, and connected again."""
    stores = postgres.new_database(f"stores_{os.urandom(6).hex()}")
    product = Application(
        tmp_path / "application", AUTH_SESSIONS="folders", AUTH_SESSIONS_URL=stores
    )
    with product:
        organization = product.organization()
        number = link(product, organization)
        for place in ("database", "folders"):
            product.stop()
            assert "1 of 1 organizations moved" in product.manage(
                "move_auth_sessions", "--to", place
            )
            folder = product.data_dir / "auth_sessions" / str(organization)
            assert folder.exists() == (place == "folders")
            product.environment["AUTH_SESSIONS"] = place
            product.start()
            status = product.wait_for_state(organization, "connected")
            assert (status["number"], status["reason"]) == (number, "resumed")
            until(lambda: online(product, number), 10, "the device online")


def test_killed_move_can_be_resumed(tmp_path: Path, postgres: Postgres) -> None:
    """kill -9 at several moments; at the end everyone is connected without a scan."""
    stores = postgres.new_database(f"stores_{os.urandom(6).hex()}")
    product = Application(
        tmp_path / "application", AUTH_SESSIONS="folders", AUTH_SESSIONS_URL=stores
    )
    with product:
        organizations = [product.organization(number) for number in range(3)]
        numbers = {organization: link(product, organization) for organization in organizations}
        for place in ("database", "folders"):
            product.stop()
            for lines in (0, 1, 2):
                killed_after(product, place, lines)
            done = product.manage("move_auth_sessions", "--to", place)
            assert "Now set AUTH_SESSIONS=" in done
            product.environment["AUTH_SESSIONS"] = place
            product.start()
            for organization, number in numbers.items():
                status = product.wait_for_state(organization, "connected")
                assert (status["number"], status["reason"]) == (number, "resumed")


def killed_after(product: Application, place: str, lines: int) -> None:
    """Begin a move, and kill -9 it when it has told of so many organizations, or is done."""
    with subprocess.Popen(
        [sys.executable, "-u", "manage.py", "move_auth_sessions", "--to", place],
        cwd=ROOT,
        env=product.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as moving:
        assert moving.stdout is not None
        for _ in range(lines):
            moving.stdout.readline()
        os.killpg(moving.pid, signal.SIGKILL)
        moving.wait(10)
