"""Runs the calls of one client one after the other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class CallQueue:
    """Runs jobs in order, on a thread that lives only while there are some."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: deque[tuple[Job, Job]] = deque()
        self._running = self._closed = False
        self._changed = threading.Condition()

    def put(self, run: Job, refuse: Job) -> None:
        """Queue a job; `refuse` is called in its place if the queue is closed before it begins."""
        with self._changed:
            if not self._closed:
                self._waiting.append((run, refuse))
                if not self._running:
                    self._running = True
                    threading.Thread(target=self._run_all, name=self._name, daemon=True).start()
                return
        refuse()

    def close(self) -> None:
        """Refuse all jobs that have not begun."""
        with self._changed:
            self._closed = True
            refused = list(self._waiting)
            self._waiting.clear()
        for _, refuse in refused:
            refuse()

    def wait_until_idle(self, seconds: float) -> bool:
        """Return whether no job runs or waits any more, within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)

    def _run_all(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._running = False
                    self._changed.notify_all()
                    return
                run, _ = self._waiting.popleft()
            run()
