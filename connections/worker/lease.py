"""The lease: a worker's right to hold sockets for a few seconds, renewed by each heartbeat.

Where several workers share a database, a worker without a heartbeat for OFFLINE_AFTER loses its
connections to the others. So it must have closed its sockets by then, whatever stops its
heartbeats: a database outage, a network partition, a stopped process. The lease ends well before
that. All host processes read its end in shared memory and exit when it is over, even when the
worker cannot command them to.
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
from django.db import DatabaseError, InterfaceError
from django.db import connection as database
from django.db import connections as databases

from connections import actions
from connections.database_outages import DATABASE_UNAVAILABLE, as_outage
from connections.models import Worker
from connections.outages import OutageLog
from connections.worker import process_liveness
from connections.worker.child import lease_memory
from connections.worker.database import keep_connection

logger = logging.getLogger(__name__)

RENEW_SECONDS = 1.5
# For a single worker, which nobody takes over from; it counts as gone after Worker.OFFLINE_AFTER.
RENEW_SINGLE_SECONDS = 3.0
RETRY_SECONDS = 0.5
# Counted from the sending of a heartbeat. The rest until OFFLINE_AFTER is for hosts to exit.
LEASE_SECONDS = 6.0
CHECK_SECONDS = 0.25
REGISTER_RETRY_SECONDS = 1.0
# Each heartbeat touches this file in the data folder.
ALIVE_FILE = "worker.alive"


class Report(NamedTuple):
    """What a heartbeat writes about the worker."""

    outdated_since: datetime | None
    sessions: int
    hosts: int


class Lease:
    """Registers the worker and renews its lease by heartbeats."""

    def __init__(self, name: str, shared: bool, report: Callable[[], Report]) -> None:
        self.worker: Worker | None = None
        self._name = name
        self._shared = shared  # other workers may be on the same database
        self._report = report
        self._ends_at = 0.0
        self._outage = OutageLog(logger, "the heartbeat failed", level=logging.WARNING)
        self._stopping = threading.Event()
        self._renewing: asyncio.Future[None] | None = None
        # A thread of its own, so that no other query of this process delays a heartbeat.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lease")
        self.descriptor = os.memfd_create("lease") if shared else None
        self._memory: mmap.mmap | None = None
        if self.descriptor is not None:
            os.ftruncate(self.descriptor, lease_memory.SIZE)
            self._memory = mmap.mmap(self.descriptor, lease_memory.SIZE)

    @property
    def held(self) -> bool:
        """Return whether this worker may hold sockets now."""
        return time.monotonic() < self._ends_at

    async def acquire(self) -> Worker:
        """Register a new worker as soon as the database answers, and start the heartbeats."""
        loop = asyncio.get_running_loop()
        outage = OutageLog(logger, "the worker could not register")
        while True:
            if self._renewing is not None:
                await asyncio.wait([self._renewing])
            try:
                self.worker = await loop.run_in_executor(self._executor, self._register)
                break
            except DATABASE_UNAVAILABLE as error:
                outage.record_failure(why=type(error).__name__)
            await asyncio.sleep(REGISTER_RETRY_SECONDS)
        self._renewing = loop.run_in_executor(self._executor, self._renew, self.worker)
        return self.worker

    async def wait_until_lost(self) -> None:
        """Wait until the lease is over. The lease of a single worker never ends."""
        if not self._shared:
            await asyncio.get_running_loop().create_future()
        while self.held:
            await asyncio.sleep(CHECK_SECONDS)

    def stop(self) -> None:
        """Stop the heartbeats."""
        self._stopping.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _register(self) -> Worker:
        started_at = time.monotonic()
        self._use_own_connection()
        capacity = settings.WORKER_CAPACITY if self._shared else 0
        process = process_liveness.current_process()
        with as_outage():
            worker = actions.start_worker(
                self._name, capacity, not self._shared, self.worker, process
            )
        self._extend(started_at)
        return worker

    def _use_own_connection(self) -> None:
        """Use a connection outside of the pool that times out before the lease is over."""
        options = database.settings_dict["OPTIONS"]
        if not options.get("pool"):  # SQLite, or this thread has its own connection already.
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
        renew = RENEW_SECONDS if self._shared else RENEW_SINGLE_SECONDS
        wait = renew
        while self.held and not self._stopping.wait(wait):
            started_at, wait = time.monotonic(), renew
            try:
                keep_connection()
                owns = actions.heartbeat(worker, *self._report(), alone=not self._shared)
            except (DatabaseError, InterfaceError) as error:
                self._outage.record_failure(why=type(error).__name__)
                database.close()  # The server may be a standby by now: see read_only.py.
                wait = RETRY_SECONDS
                continue
            except Exception:
                # A fault of ours must not cost every link of this worker.
                logger.exception("the heartbeat failed")
                wait = RETRY_SECONDS
                continue
            self._outage.record_success()
            if self._stopping.is_set():
                break
            if not owns and self._shared:
                logger.error("a heartbeat came too late", extra={"worker": worker.pk})
                self._expire()
            # After a standstill the heartbeat may be in time although the hosts have exited.
            elif self.held:
                self._extend(started_at)
        database.close()

    def _extend(self, started_at: float) -> None:
        self._write(started_at + LEASE_SECONDS if self._shared else math.inf)
        # For a health check of this process that does not read the database.
        with contextlib.suppress(OSError):
            settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
            (settings.DATA_DIR / ALIVE_FILE).touch()

    def _expire(self) -> None:
        self._write(0.0)

    def _write(self, ends_at: float) -> None:
        self._ends_at = ends_at
        if self._memory is not None:
            lease_memory.write(self._memory, ends_at)
