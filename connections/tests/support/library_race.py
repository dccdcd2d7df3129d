"""Starts and stops clients beside calls, all of which use the Go library's maps.

Run as a program: LOCKED ("yes" or "no") SECONDS FOLDER. It prints how much it did. A collision ends
the process with Go's "fatal error: concurrent map …".
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from connections.worker.child import library_client, library_messages, neonize_gateway
from connections.worker.child.library_lock import LibraryLock
from connections.worker.child.watched_memory import WatchedMemory

ENDED_SECONDS = 20.0


class NoLock(LibraryLock):
    """Protects nothing."""

    @contextlib.contextmanager
    def call(
        self, is_past: Callable[[], bool] = bool, timeout: float | None = None
    ) -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        yield


def main(locked: bool, seconds: float, folder: Path) -> None:
    lock = LibraryLock() if locked else NoLock()
    vars(library_client)["LIBRARY"] = lock
    neonize_gateway.preload(simulated=False)
    neonize_gateway.load(None)
    go = neonize_gateway._loaded()
    end = time.monotonic() + seconds
    done: Counter[str] = Counter()

    def send() -> None:
        jid = WatchedMemory(library_messages.jid("1", "lid"))
        with lock.call(jid.was_read):
            go.SendMessage(b"nobody", ctypes.c_char_p(jid.address), jid.size, b"", 0)

    def read() -> None:
        with lock.call():
            go.IsConnected(b"nobody")

    def restart() -> None:
        ended = threading.Event()
        database = folder / f"{threading.get_ident()}.sqlite3"
        client = neonize_gateway.open_client(
            str(database), "race", lambda event: ended.set() if event["event"] == "ended" else None
        )
        client.start()
        assert ended.wait(ENDED_SECONDS)
        client._close()

    def repeat(action: Callable[[], None]) -> None:
        while time.monotonic() < end:
            action()
            done[action.__name__] += 1

    actions = (send, send, read, restart, restart, restart)
    threads = [threading.Thread(target=repeat, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(dict(done), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1] == "yes", float(sys.argv[2]), Path(sys.argv[3]))
