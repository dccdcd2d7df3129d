"""The right to hold sockets: good for a few seconds at a time, renewed by each heartbeat.

Where several workers share a database, whoever has not been heard of for OFFLINE_AFTER loses what
it owns to the others. So it must have closed its sockets by then, whatever keeps it from being
heard: the database away, the network cut, the process stopped. The lease ends well before that. It
stands in a piece of memory that every host process sees, and a host whose lease is over ends
itself, even when the supervisor cannot tell it to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import mmap
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection as database
from django.db import connections as databases

from connections import actions
from connections.models import Worker
from connections.outages import OutageLog
from connections.worker import lease_memory, processes
from connections.worker.database import AWAY, keep_connection

logger = logging.getLogger(__name__)

RENEW_SECONDS = 1.5
# Where nobody else could take over; readers count it as gone after Worker.OFFLINE_AFTER.
RENEW_ALONE_SECONDS = 3.0
HURRY_SECONDS = 0.5
# From the moment a heartbeat was sent. What is left until OFFLINE_AFTER is for the hosts to end.
LEASE_SECONDS = 6.0
LOOK_SECONDS = 0.25
AGAIN_SECONDS = 1.0
# A file in the data folder that is touched with each heartbeat.
SIGN = "worker.alive"


class Report(NamedTuple):
    """What a heartbeat tells of the worker."""

    outdated_since: datetime | None
    sessions: int
    hosts: int


class Lease:
    """Registers the worker, and renews its right to what it owns."""

    def __init__(self, name: str, shared: bool, report: Callable[[], Report]) -> None:
        self.worker: Worker | None = None
        self._name = name
        self._shared = shared  # other workers may be on the same database
        self._report = report
        self._until = 0.0
        self._outage = OutageLog(logger, "no heartbeat", level=logging.WARNING)
        self._stopping = threading.Event()
        self._renewing: asyncio.Future[None] | None = None
        # Of its own, so that nothing else this process asks the database holds a heartbeat up.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lease")
        self.descriptor = os.memfd_create("lease") if shared else None
        self._memory: mmap.mmap | None = None
        if self.descriptor is not None:
            os.ftruncate(self.descriptor, lease_memory.SIZE)
            self._memory = mmap.mmap(self.descriptor, lease_memory.SIZE)

    @property
    def held(self) -> bool:
        """Whether this process may hold sockets at this moment."""
        return time.monotonic() < self._until

    async def begin(self) -> Worker:
        """Register as a new worker, as soon as the database is there, and keep that alive."""
        loop = asyncio.get_running_loop()
        outage = OutageLog(logger, "no worker registered")
        while True:
            if self._renewing is not None:
                await asyncio.wait([self._renewing])
            try:
                self.worker = await loop.run_in_executor(self._executor, self._register)
                break
            except AWAY as error:
                outage.record_failure(why=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)
        self._renewing = loop.run_in_executor(self._executor, self._renew, self.worker)
        return self.worker

    async def lost(self) -> None:
        """Returns when the right to hold sockets is over; alone on a database, it never is."""
        if not self._shared:
            await asyncio.get_running_loop().create_future()
        while self.held:
            await asyncio.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """No further heartbeat."""
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _register(self) -> Worker:
        begun = time.monotonic()
        self._use_own_connection()
        capacity = settings.WORKER_CAPACITY if self._shared else 0
        worker = actions.start_worker(
            self._name, capacity, not self._shared, self.worker, processes.own()
        )
        self._extend(begun)
        return worker

    def _use_own_connection(self) -> None:
        """One that waits for nobody, and gives up before the lease is over."""
        options = database.settings_dict["OPTIONS"]
        if not options.get("pool"):  # SQLite, or this thread has its own already.
            return keep_connection()
        own = database.copy()
        own.settings_dict["OPTIONS"] |= {
            "pool": None,
            "connect_timeout": 2,
            "tcp_user_timeout": 3000,
            "options": f"{options['options']} -c statement_timeout=3s -c lock_timeout=3s",
        }
        databases[database.alias] = own

    def _renew(self, worker: Worker) -> None:
        renew = RENEW_SECONDS if self._shared else RENEW_ALONE_SECONDS
        wait = renew
        while self.held and not self._stopping.wait(wait):
            begun, wait = time.monotonic(), renew
            try:
                keep_connection()
                owns = actions.heartbeat(worker, *self._report(), alone=not self._shared)
            except AWAY as error:
                self._outage.record_failure(why=type(error).__name__)
                wait = HURRY_SECONDS
                continue
            self._outage.record_success()
            if self._stopping.is_set():
                break
            if not owns and self._shared:
                logger.error("a heartbeat came too late", extra={"worker": worker.pk})
                self._end()
            # After a standstill the sign may have come in time; the hosts are gone all the same.
            elif self.held:
                self._extend(begun)
        database.close()

    def _extend(self, begun: float) -> None:
        self._write(begun + LEASE_SECONDS if self._shared else math.inf)
        # For whoever looks after this process from outside, and asks no database.
        with contextlib.suppress(OSError):
            settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
            (settings.DATA_DIR / SIGN).touch()

    def _end(self) -> None:
        self._write(0.0)

    def _write(self, until: float) -> None:
        self._until = until
        if self._memory is not None:
            lease_memory.write(self._memory, until)
