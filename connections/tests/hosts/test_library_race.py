"""Starts, stops and calls at once in the real Go library, with and without the lock."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connections.tests.support.host_processes import closed_port

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.skipif(os.cpu_count() == 1, reason="one core runs one Go thread at a time"),
]

# Without the lock, 3 runs of 3 ended within 5 s on two cores.
LOCKED_SECONDS, UNLOCKED_SECONDS = 4.0, 40.0


def race(folder: Path, locked: bool, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run the race on two Go threads. Hosts have one, with which no run ended without the lock."""
    proxy = f"http://127.0.0.1:{closed_port()}"
    return subprocess.run(
        [
            *(sys.executable, "-m", "connections.tests.support.library_race"),
            *("yes" if locked else "no", str(seconds), str(folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
        env={**os.environ, "GOMAXPROCS": "2", "HTTPS_PROXY": proxy, "NO_PROXY": ""},
    )


def test_locked_library_survives_starts_stops_and_calls(tmp_path: Path) -> None:
    found = race(tmp_path, locked=True, seconds=LOCKED_SECONDS)
    assert found.returncode == 0, found.stderr[:1000]
    done = ast.literal_eval(found.stdout.splitlines()[-1])
    assert min(done["restart"], done["send"], done["read"]) > 0


def test_unlocked_library_ends_the_process(tmp_path: Path) -> None:
    """What the lock is for, and that the test above would see it."""
    found = race(tmp_path, locked=False, seconds=UNLOCKED_SECONDS)
    assert found.returncode == -signal.SIGABRT
    assert "fatal error: concurrent map" in found.stderr
