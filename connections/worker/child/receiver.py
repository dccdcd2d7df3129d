"""Keeps what WhatsApp brings to one client: each event goes to its spool first."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connections.worker.child import received
from connections.worker.child.history import Histories
from connections.worker.child.library_contract import HISTORY
from connections.worker.child.spool import Spool

# Before a client stops, what came before its connection ended must be in the spool: until nothing
# has come for QUIET_SECONDS.
DRAIN_SECONDS, QUIET_SECONDS = 3.0, 1.0
DRAIN_POLL_SECONDS = 0.05
# A message that comes again may still be on its way to its first callback.
REPEATED_SECONDS = 1.0


class Receiver:
    """Writes messages and receipts to a spool. Raises OSError when that cannot be opened.

    `account`: returns the own number, digits.
    """

    def __init__(
        self, path: str, account: Callable[[], str], emit: Callable[[dict[str, Any]], None]
    ) -> None:
        self._account = account
        self._emit = emit
        self._spool = Spool(path, self._report)
        self._histories = Histories(Path(path).stem, self._append)
        self._writing = 0  # callbacks that write to the spool
        self._received_at = 0.0  # by time.monotonic
        self._repeated: list[dict[str, Any]] = []
        self._repeated_lock = threading.Lock()

    def keep(self, kind: int, data: bytes) -> None:
        """Write an event to the spool before anything else: WhatsApp believes that we have it."""
        with self._counted():
            line = received.parse(kind, data)
            if received.announces_history(line):
                self._histories.announce()
            self._append(line)

    def keep_history(self, event: memoryview) -> None:
        """Write which messages are in a history, not what they say."""
        with self._counted():
            try:
                self._histories.keep(event)
            except ValueError:
                self._append(received.unparsed(HISTORY))

    def give_up_history(self) -> None:
        """Write that a history that was announced does not come."""
        self._histories.give_up()
        self._emit({"event": "spooled"})

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Let a close wait for what is written here; the library has one callback at a time."""
        self._writing += 1
        try:
            yield
        finally:
            self._received_at = time.monotonic()
            self._writing -= 1
        self._emit({"event": "spooled"})

    def _append(self, line: dict[str, Any]) -> None:
        self._spool.append(received.encode(line, self._account()))

    def keep_repeated(self, message: dict[str, Any]) -> None:
        """Write soon that a message came again: if it was never stored, it is lost.

        A process that was killed right after it had decrypted the message never passed it on.
        """
        with self._repeated_lock:
            self._repeated.append(received.repeated(message))
            is_first = len(self._repeated) == 1
        if is_first:
            timer = threading.Timer(REPEATED_SECONDS, self._write_repeated)
            timer.daemon = True
            timer.start()

    def _write_repeated(self) -> None:
        with self._repeated_lock:
            lines, self._repeated = self._repeated, []
        for line in lines:
            self._append(line)
        if lines:
            self._emit({"event": "spooled"})

    def drain(self, since: float) -> None:
        """Wait until nothing has come for a while, at the earliest since this time.

        The spool is closed if it is still not written then: its disk takes no line, and the
        library cannot stop in a callback.
        """
        deadline = time.monotonic() + DRAIN_SECONDS
        while (now := time.monotonic()) < deadline:
            if not self._writing and now - max(since, self._received_at) >= QUIET_SECONDS:
                return self._write_repeated()
            time.sleep(DRAIN_POLL_SECONDS)
        if self._writing:
            self._report("given up")
            self._spool.close()

    def trim(self, upto: int) -> int:
        """Drop the first bytes of the spool, which are stored. Return how many were dropped."""
        try:
            return self._spool.trim(upto)
        except OSError as error:
            self._report(errno.errorcode.get(error.errno or 0, "unknown"))
            return 0

    def close(self) -> None:
        """Close and unlock the spool."""
        self._spool.close()

    def _report(self, error: str) -> None:
        self._emit({"event": "spool_failed", "error": error})
