"""A worker's process that has ended is seen from its own machine, and from no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connections.tests.support.fake_worker import FakeWorker
from connections.worker import processes
from connections.worker.balancing import _workers


def of_a_child() -> tuple[subprocess.Popen[bytes], str]:
    code = "from connections.worker import processes; print(processes.own(), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    return child, child.stdout.readline().decode().strip()


def end(child: subprocess.Popen[bytes]) -> None:
    child.communicate(b"\n", timeout=10)


def test_ended_process_is_gone() -> None:
    child, known = of_a_child()
    try:
        assert not processes.is_gone(known)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # A zombie holds nothing.
        assert processes.is_gone(known)
    finally:
        end(child)
    assert processes.is_gone(known)


def test_reused_pid_is_another_process() -> None:
    place, pid, start = processes.own().split(" ")
    assert not processes.is_gone(f"{place} {pid} {start}")
    assert processes.is_gone(f"{place} {pid} {int(start) - 1}")


def test_process_of_another_machine_is_not_gone() -> None:
    assert not processes.is_gone("")
    assert not processes.is_gone("another-boot:4026531836 1 1")


def test_worker_of_an_ended_process_is_stopped(hand: FakeWorker) -> None:
    child, known = of_a_child()
    neighbour = FakeWorker(alone=False).worker
    type(neighbour).objects.filter(pk=neighbour.pk).update(process=known)
    assert [peer.id for peer in _workers()[0]] == [hand.worker.pk, neighbour.pk]
    end(child)
    assert [peer.id for peer in _workers()[0]] == [hand.worker.pk]
    neighbour.refresh_from_db()
    assert neighbour.stopped_at is not None


def test_hidden_process_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where /proc shows only one's own processes."""
    known = processes.own()
    machine = known.split(" ")[0]

    def hidden(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(processes, "_place", lambda: machine)
    monkeypatch.setattr(Path, "read_text", hidden)
    assert not processes.is_gone(known)
    nobody_has = 2**22 + 1  # above the largest number that Linux gives away
    assert processes.is_gone(f"{machine} {nobody_has} 1")
