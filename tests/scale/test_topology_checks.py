"""Combinations of settings that cannot work prevent the start, with one line of advice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.application import ROOT, Application, free_port
from tests.support.services import Postgres

SECONDS = 60.0


def refusal(folder: Path, *command: str, **environment: str) -> str:
    """Return the last line of a process that must fail. Raises AssertionError if it succeeds."""
    folder.mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(folder), "REDIS_URL": "", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode != 0, done.stdout
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def default_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the database and Redis of the test run."""
    for name in ("DATABASE_URL", "REDIS_URL", "REDIS_PREFIX"):
        monkeypatch.setenv(name, "")


@pytest.mark.usefixtures("default_settings")
def test_worker_without_redis_is_refused(tmp_path: Path) -> None:
    assert "set REDIS_URL" in refusal(tmp_path / "worker", "run_worker")


@pytest.mark.usefixtures("default_settings")
def test_web_process_without_worker_and_redis_is_refused(tmp_path: Path) -> None:
    line = refusal(tmp_path / "web", "serve", "--port", "0", EMBEDDED_WORKER="false")
    assert "set REDIS_URL, or EMBEDDED_WORKER=true" in line


@pytest.mark.usefixtures("default_settings")
def test_second_worker_on_sqlite_is_refused(tmp_path: Path) -> None:
    with Application(tmp_path / "first") as first:
        done = subprocess.run(
            [sys.executable, "manage.py", "serve", "--port", str(free_port())],
            cwd=ROOT,
            env={**first.environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    assert done.returncode != 0
    assert "SQLite has one only" in done.stderr.strip().splitlines()[-1]


@pytest.mark.usefixtures("default_settings")
def test_shared_postgresql_without_redis_is_refused(tmp_path: Path) -> None:
    with Postgres() as postgres:
        url = postgres.new_database("shared")
        with Application(tmp_path / "first", DATABASE_URL=url):
            line = refusal(
                *(tmp_path / "second", "serve", "--port", str(free_port())),
                DATABASE_URL=url,
                WHATSAPP_SERVER="simulator",
                SIMULATOR_STATE=str(tmp_path / "first" / "simulator" / "simulator.json"),
            )
    assert "signals in memory do not reach it" in line
