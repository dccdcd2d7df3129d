"""The lock around the Go library's maps, and the memory that shows how far a call has come."""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connections.worker.child import library_lock
from connections.worker.child.call_queue import CallQueue
from connections.worker.child.library_lock import LibraryLock
from connections.worker.child.watched_memory import WatchedMemory

pytestmark = pytest.mark.sqlite_only

SECONDS = 10.0
SHORT = 0.2  # for what must not happen


@contextmanager
def running(function: Callable[[], object]) -> Iterator[threading.Event]:
    """Run a function in a thread; yield an event that is set at its end."""
    done = threading.Event()

    def run() -> None:
        function()
        done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield done
    thread.join(SECONDS)
    assert not thread.is_alive()


@contextmanager
def call_in_library(
    lock: LibraryLock, is_past: Callable[[], bool] | None = None
) -> Iterator[threading.Event]:
    """Keep a call in the library for the block, or until the event is set."""
    entered, leave = threading.Event(), threading.Event()

    def call() -> None:
        with lock.call() if is_past is None else lock.call(is_past):
            entered.set()
            assert leave.wait(SECONDS)

    with running(call):
        assert entered.wait(SECONDS)
        try:
            yield leave
        finally:
            leave.set()


def change(lock: LibraryLock) -> None:
    with lock.exclusive():
        pass


def test_calls_overlap() -> None:
    lock = LibraryLock()
    with call_in_library(lock), call_in_library(lock):
        pass


def test_stop_waits_until_a_call_returns() -> None:
    lock = LibraryLock()
    with call_in_library(lock) as leave, running(lambda: change(lock)) as done:
        assert not done.wait(SHORT)
        leave.set()
        assert done.wait(SECONDS)


def test_stop_does_not_wait_for_a_call_that_has_read_the_maps() -> None:
    lock = LibraryLock()
    past = threading.Event()
    with call_in_library(lock, past.is_set), running(lambda: change(lock)) as done:
        assert not done.wait(SHORT)
        past.set()
        assert done.wait(SECONDS)


def test_stop_gives_a_silent_call_up_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_lock, "LOOKUP_SECONDS", 2 * SHORT)
    lock = LibraryLock()
    with call_in_library(lock), running(lambda: change(lock)) as done:
        assert not done.wait(SHORT)
        assert done.wait(SECONDS)


def test_call_waits_for_a_start_and_goes_before_the_next() -> None:
    lock = LibraryLock()
    order: list[str] = []

    def call() -> None:
        with lock.call():
            order.append("call")

    def start() -> None:
        with lock.exclusive():
            order.append("start")

    with contextlib.ExitStack() as threads, lock.exclusive():
        called = threads.enter_context(running(call))
        started = threads.enter_context(running(start))
        assert not called.wait(SHORT) and not started.is_set()
    assert order == ["call", "start"]


def test_start_that_dials_holds_the_next_start_and_no_call() -> None:
    lock = LibraryLock()
    called_back = threading.Event()
    with lock.exclusive():
        lock.hold(called_back.is_set, SECONDS)
    with running(lambda: change(lock)) as done:
        assert not done.wait(SHORT)
        with lock.call(timeout=SECONDS):
            assert not done.is_set()
        called_back.set()
        assert done.wait(SECONDS)


def test_call_that_may_not_begin_in_time_raises() -> None:
    lock = LibraryLock()
    with lock.exclusive(), pytest.raises(TimeoutError), lock.call(timeout=SHORT):
        pass
    with lock.call(timeout=SHORT):
        pass


READING = """
import ctypes
from connections.worker.child.watched_memory import WatchedMemory
memory = WatchedMemory(b"hello")
assert not memory.was_read()
assert ctypes.string_at(memory.address, memory.size) == b"hello"
assert memory.was_read()
"""


def test_memory_shows_that_it_was_read() -> None:
    memory, other = WatchedMemory(b"hello"), WatchedMemory(bytes(20_000))
    assert not memory.was_read()
    assert ctypes.string_at(memory.address, memory.size) == b"hello"
    assert memory.was_read() and not other.was_read()
    assert ctypes.string_at(other.address, other.size) == bytes(20_000)


def test_memory_is_never_read_where_accesses_are_invisible() -> None:
    """Reading through a page map that shows every page as present must not count."""
    script = "import os; os.pread = lambda *_: bytes([255] * 8)\n" + READING.replace(
        "assert memory.was_read()", "assert not memory.was_read()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_closed_queue_refuses_what_waits_and_lets_the_running_job_end() -> None:
    queue, leave, results = CallQueue("test"), threading.Event(), []
    entered = threading.Event()

    def run() -> None:
        entered.set()
        assert leave.wait(SECONDS)
        results.append("ran")

    queue.put(run, lambda: results.append("refused the first"))
    assert entered.wait(SECONDS)
    queue.put(run, lambda: results.append("refused the second"))
    queue.close()
    queue.put(run, lambda: results.append("refused the third"))
    assert results == ["refused the second", "refused the third"]
    assert not queue.wait_until_idle(SHORT)
    leave.set()
    assert queue.wait_until_idle(SECONDS)
    assert results[-1] == "ran"
