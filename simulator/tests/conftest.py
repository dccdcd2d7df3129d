"""Fixtures: a shared simulator, and the database file of a companion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.process import Simulator, start


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Start the simulator that all tests share."""
    with start(tmp_path_factory.mktemp("simulator")) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Iterator[Simulator]:
    """Return the shared simulator, reset before and after the test."""
    running.control.reset()
    running.control.set_refs(6)
    yield running
    running.control.reset()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return the path of a companion's database."""
    return tmp_path / "session.db"
