"""The commands in docs/operations.md move from SQLite to PostgreSQL without a new scan."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.application import ROOT, Application, until
from tests.support.qr_reading import read_url
from tests.support.services import Postgres

PAGE = ROOT / "docs" / "operations.md"
COMMAND_SECONDS = 60


def told() -> list[list[str]]:
    """Return the commands of the page in order."""
    section = PAGE.read_text().split("\n## From SQLite to PostgreSQL\n")[1].split("\n## ")[0]
    lines = re.findall(r"^manage\.py (.+)$", section.replace("\\\n", " "), re.M)
    return [shlex.split(line) for line in lines]


def link(product: Application, organization: int) -> None:
    def code() -> str:
        return product.api("POST", organization, "reconnect").body.get("qrCode") or ""

    product.simulator.scan(read_url(until(code, 30, "a QR code")))
    product.wait_for_state(organization, "connected", 30)


def known(product: Application) -> dict[str, Any]:
    """Return the organizations in the API."""
    body = product.request("GET", "/api/v1/organizations").body
    return {found["name"]: (found["id"], found["role"]) for found in body["results"]}


def test_move_keeps_all_data_and_needs_no_scan(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    dump = tmp_path / "everything.json"
    with Application(folder, DATABASE_URL="", REDIS_URL="") as before:
        first, second = before.organization(0), before.organization(1)
        link(before, first)
        link(before, second)
        organizations = known(before)
    with Postgres() as postgres:
        after = Application(folder, DATABASE_URL=postgres.url, REDIS_URL="")
        assert [command[0] for command in told()] == [
            *("dumpdata", "migrate", "loaddata", "move_auth_sessions"),
        ]
        for command in told():
            arguments = [str(dump) if part == dump.name else part for part in command]
            product = before if command[0] == "dumpdata" else after
            done = subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=product.environment,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        assert not (folder / "auth_sessions" / str(first)).exists()
        (folder / "db.sqlite3").unlink()
        with after:
            assert known(after) == organizations
            for organization in (first, second):
                status = after.wait_for_state(organization, "connected", 30)
                assert status["number"]
            history = postgres.sql(
                "SELECT count(*) FROM connections_connectionevent WHERE observation = 'linked'"
            )
            assert history == [(2,)]
            # Sequences continue.
            assert after.new_organizations("One more") == [max(organizations.values())[0] + 1]
