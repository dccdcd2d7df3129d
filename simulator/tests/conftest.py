"""One stand-in for the module's tests, and one of its own for a test that restarts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.process import Simulator, start


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A stand-in that all tests share."""
    with start(tmp_path_factory.mktemp("simulator")) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Iterator[Simulator]:
    """The shared stand-in, emptied before and after the test."""
    running.control.reset()
    running.control.set_refs(6)
    yield running
    running.control.reset()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The file that a companion keeps its session in."""
    return tmp_path / "session.db"
