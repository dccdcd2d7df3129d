"""Hash passwords with a limited number of slots, so that many logins do not use all cores.

A hash takes a core for some tenths of a second, and anyone can request one with a wrong login.
Hashing releases the GIL, so the number of slots is the number of cores it may use.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher

# How long a request waits for a slot, and how many may wait: each occupies a thread.
QUEUE_SECONDS = 5.0
MAX_QUEUED = 10


class HashingBusy(Exception):
    """No slot got free in time; the password was not checked."""


class HashingSlots:
    """A number of slots with a bounded queue."""

    def __init__(self, number: int) -> None:
        self._free = threading.Semaphore(number)
        self._queue = threading.Semaphore(MAX_QUEUED)

    @contextmanager
    def acquire(self, wait_forever: bool) -> Iterator[None]:
        """Hold a slot. Raises HashingBusy after QUEUE_SECONDS, unless `wait_forever`."""
        if wait_forever:
            self._free.acquire()
        elif not self._free.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._free.release()

    def _wait(self) -> None:
        if not self._queue.acquire(blocking=False):
            raise HashingBusy
        try:
            if not self._free.acquire(timeout=QUEUE_SECONDS):
                raise HashingBusy
        finally:
            self._queue.release()


slots = HashingSlots(settings.PASSWORD_HASHING_PLACES)
# False in management commands, which cannot be told to try again: they wait.
is_request: ContextVar[bool] = ContextVar("is_request", default=False)


class BoundedPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Django's default hasher with limited concurrency; all its methods call `encode`."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Return the hash. Raises HashingBusy in a request."""
        with slots.acquire(wait_forever=not is_request.get()):
            return super().encode(password, salt, iterations)
