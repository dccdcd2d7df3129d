"""The CPU of a group of processes, in which some start and end meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import Spent, cpu_of, idle_percents, used

BURN = "import time\nwhile time.process_time() < 0.3: pass"
PARENT = f"""
import subprocess, sys
for _ in sys.stdin:
    subprocess.run([sys.executable, "-c", {BURN!r}], check=True)
    print("done", flush=True)
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process that runs a child and waits for it, for each line that it gets."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate("", timeout=10)


def test_every_program_stops_its_services_on_sigterm() -> None:
    programs = {
        path.name
        for path in Path(__file__).parent.glob("*.py")
        if 'if __name__ == "__main__"' in path.read_text() and path.name != Path(__file__).name
    }
    assert {"growth.py", "messages.py", "postgresql.py"} <= programs
    programs -= {"load.py"}  # A child of those, which ends with its input.
    missing = [
        name
        for name in programs
        if "stop_on_sigterm()" not in (Path(__file__).parent / name).read_text()
    ]
    assert missing == []


def run_child(parent: subprocess.Popen[str]) -> None:
    assert parent.stdin is not None and parent.stdout is not None
    parent.stdin.write("go\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "done\n"


def test_cpu_of_child_that_starts_and_ends_meanwhile_counts(parent: subprocess.Popen[str]) -> None:
    with cpu_of(lambda: {parent.pid}) as spent:
        run_child(parent)
    assert 0.25 <= spent[0] < 1


def test_cpu_of_child_that_ended_before_does_not_count(parent: subprocess.Popen[str]) -> None:
    run_child(parent)
    with cpu_of(lambda: {parent.pid}) as spent:
        pass
    assert spent[0] < 0.1
    assert idle_percents({"group": lambda: {parent.pid}}, 0.1)["group"] < 100


def test_child_that_lived_before_counts_from_then_on() -> None:
    before = {1: Spent(5.0, 1.0, 0), 2: Spent(3.0, 0.0, 1)}
    now = {1: Spent(5.5, 1.0, 0), 2: Spent(3.25, 0.0, 1)}
    assert used(before, now) == pytest.approx(0.75)
    # It has ended: the parent has the same 3.25.
    assert used(before, {1: Spent(5.5, 4.25, 0)}) == pytest.approx(0.75)


def test_grandchild_that_ended_is_in_the_sum_of_who_is_left() -> None:
    before = {1: Spent(5.0, 0.0, 0), 2: Spent(3.0, 0.0, 1), 3: Spent(2.0, 0.0, 2)}
    assert used(before, {1: Spent(5.0, 3.0 + 2.5, 0)}) == pytest.approx(0.5)


def test_child_that_started_meanwhile_counts_from_its_start() -> None:
    now = {1: Spent(5.0, 0.0, 0), 2: Spent(0.5, 0.0, 1)}
    assert used({1: Spent(5.0, 0.0, 0)}, now) == pytest.approx(0.5)


@pytest.mark.parametrize("parent", [1, 99])
def test_child_that_nobody_waited_for_takes_nothing_off(parent: int) -> None:
    before = {1: Spent(5.0, 0.0, 0), 2: Spent(3.0, 0.0, parent)}
    assert used(before, {1: Spent(5.5, 0.0, 0)}) == pytest.approx(0.5)
