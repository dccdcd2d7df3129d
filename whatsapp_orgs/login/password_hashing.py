"""Password hashing with a small number of places, so that many logins leave cores to all else.

A hash takes a core for a few tenths of a second, and anyone can ask for one by a wrong login.
Hashing does not hold Python's lock, so the places alone decide how many cores it takes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher

# How long a request waits for a place, and how many may: each of them keeps a thread.
WAIT_SECONDS = 5.0
MAX_WAITING = 10


class HashingBusy(Exception):
    """No place for hashing a password came free in time; nothing is known about the password."""


class Places:
    """A number of places, and a bounded queue of those who wait for one."""

    def __init__(self, number: int) -> None:
        self._free = threading.Semaphore(number)
        self._queue = threading.Semaphore(MAX_WAITING)

    @contextmanager
    def taken(self, patient: bool) -> Iterator[None]:
        """Hold a place. Raises HashingBusy, unless `patient`: then it waits as long as it takes."""
        if patient:
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
            if not self._free.acquire(timeout=WAIT_SECONDS):
                raise HashingBusy
        finally:
            self._queue.release()


places = Places(settings.PASSWORD_HASHING_PLACES)
# Commands have nobody to tell to come again, and wait.
in_request: ContextVar[bool] = ContextVar("in_request", default=False)


class BoundedPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Django's default hasher, with the same hashes. All that it does goes through `encode`."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Return the hash. Raises HashingBusy in a request."""
        with places.taken(patient=not in_request.get()):
            return super().encode(password, salt, iterations)
