"""The end of a worker's process is detected on its own machine, and on no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connections.tests.support.fake_worker import FakeWorker
from connections.worker import process_liveness
from connections.worker.balancing import read_workers


def start_child() -> tuple[subprocess.Popen[bytes], str]:
    code = (
        "from connections.worker import process_liveness\n"
        "print(process_liveness.current_process(), flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    return child, child.stdout.readline().decode().strip()


def end(child: subprocess.Popen[bytes]) -> None:
    child.communicate(b"\n", timeout=10)


def test_ended_process_has_ended() -> None:
    child, known = start_child()
    try:
        assert not process_liveness.has_ended(known)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # A zombie holds nothing.
        assert process_liveness.has_ended(known)
    finally:
        end(child)
    assert process_liveness.has_ended(known)


def test_reused_pid_is_another_process() -> None:
    machine, pid, start_time = process_liveness.current_process().split(" ")
    assert not process_liveness.has_ended(f"{machine} {pid} {start_time}")
    assert process_liveness.has_ended(f"{machine} {pid} {int(start_time) - 1}")


def test_process_of_another_machine_counts_as_running() -> None:
    assert not process_liveness.has_ended("")
    assert not process_liveness.has_ended("another-boot:4026531836 1 1")


def test_worker_of_an_ended_process_is_stopped(hand: FakeWorker) -> None:
    child, known = start_child()
    neighbour = FakeWorker(alone=False).worker
    type(neighbour).objects.filter(pk=neighbour.pk).update(process=known)
    assert [peer.id for peer in read_workers()[0]] == [hand.worker.pk, neighbour.pk]
    end(child)
    assert [peer.id for peer in read_workers()[0]] == [hand.worker.pk]
    neighbour.refresh_from_db()
    assert neighbour.stopped_at is not None


def test_hidden_process_counts_as_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc may be mounted to show only one's own processes."""
    known = process_liveness.current_process()
    machine = known.split(" ")[0]

    def hidden(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(process_liveness, "_machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", hidden)
    assert not process_liveness.has_ended(known)
    unused_pid = 2**22 + 1  # above the largest pid of Linux
    assert process_liveness.has_ended(f"{machine} {unused_pid} 1")
