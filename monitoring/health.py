"""Check whether this process can serve: each of its dependencies, with a deadline.

A response says only "ok" or "failed", because it needs no login. The reason of a failure is logged
once, at its start.
"""

from __future__ import annotations

import asyncio
import logging
import pkgutil
import secrets
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Generic, TypeVar

from channels.layers import get_channel_layer
from django.apps import apps
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from connections.models import Worker
from connections.outages import OutageLog

logger = logging.getLogger(__name__)

T = TypeVar("T")

DEADLINE_SECONDS = 2.0
# Shorter than the deadline, so that the cleanup is also done within it.
ROUND_TRIP_SECONDS = 1.5

DATABASE, MIGRATIONS, CHANNEL_LAYER, WORKER = "database", "migrations", "channel_layer", "worker"
CHECKS = (DATABASE, MIGRATIONS, CHANNEL_LAYER, WORKER)


class NotReady(Exception):
    """A dependency answers, but is not in the required state."""


class SingleFlight(Generic[T]):
    """Runs a slow call once at a time: concurrent callers wait for the same run."""

    def __init__(self, call: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._call = call
        self._task: asyncio.Task[T] | None = None

    async def within(self, seconds: float) -> T:
        """Return the result. Raises TimeoutError, or the exception of the call."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._call())
            # Retrieves the exception if no caller is left.
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        done, _ = await asyncio.wait([self._task], timeout=seconds)
        if not done:
            raise TimeoutError
        return self._task.result()


class Readiness:
    """The readiness checks of one process. A check that hangs is not started again."""

    def __init__(self) -> None:
        # Own threads, one for the metrics: a check never waits for requests of users.
        self._threads = ThreadPoolExecutor(len(CHECKS) + 1, thread_name_prefix="readiness")
        self._outages = {name: _outage_log() for name in CHECKS}
        # A channel belongs to the event loop that created it.
        self._channel: tuple[asyncio.AbstractEventLoop, str] | None = None
        self._migrated = False
        self._checks = {
            DATABASE: SingleFlight(lambda: self.in_thread(_check_database)),
            MIGRATIONS: SingleFlight(lambda: self.in_thread(self._check_migrations)),
            CHANNEL_LAYER: SingleFlight(self._check_channel_layer),
            WORKER: SingleFlight(lambda: self.in_thread(_check_worker)),
        }

    async def check(self, names: Iterable[str] = CHECKS) -> dict[str, bool]:
        """Return which checks pass, after DEADLINE_SECONDS at most."""
        checks = list(names)
        results = await asyncio.gather(*(self._passes(check) for check in checks))
        return dict(zip(checks, results, strict=True))

    async def in_thread(self, check: Callable[[], T]) -> T:
        """Return the result of `check`, run in a thread that closes its database connections."""

        def run() -> T:
            try:
                return check()
            finally:
                connections.close_all()

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def _passes(self, name: str) -> bool:
        try:
            await self._checks[name].within(DEADLINE_SECONDS)
        except Exception as error:
            self._outages[name].record_failure(check=name, why=type(error).__name__)
            return False
        self._outages[name].record_success(check=name)
        return True

    async def _check_channel_layer(self) -> None:
        """Send a message to this process, and receive it."""
        layer: Any = get_channel_layer()
        token, loop = secrets.token_hex(8), asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ROUND_TRIP_SECONDS):
                if self._channel is None or self._channel[0] is not loop:
                    self._channel = (loop, await layer.new_channel())
                channel = self._channel[1]
                await layer.send(channel, {"type": "probe", "token": token})
                # Messages of earlier checks that timed out come first.
                while (await layer.receive(channel))["token"] != token:
                    continue
        except BaseException:
            self._channel = None
            raise

    def _check_migrations(self) -> None:
        """Raise NotReady unless all migrations are applied. Not checked again afterwards."""
        if self._migrated:
            return
        if missing := known_migrations() - set(MigrationRecorder(connection).applied_migrations()):
            raise NotReady(f"{len(missing)} migrations are not applied")
        self._migrated = True


def _outage_log() -> OutageLog:
    began, ended = "a readiness check failed", "a readiness check passes again"
    return OutageLog(logger, began, ended, level=logging.WARNING)


def _check_database() -> None:
    with connection.cursor() as cursor:
        # SQLite answers "SELECT 1" without reading its file.
        cursor.execute(
            "PRAGMA schema_version" if connection.vendor == "sqlite" else "SELECT 1",
        )
        cursor.fetchone()


def _check_worker() -> None:
    if not Worker.any_alive():
        raise NotReady("no worker has a recent heartbeat")


def known_migrations() -> set[tuple[str, str]]:
    """Return app and name of each migration file. Importing them all would cost megabytes."""
    found = set()
    for app in apps.get_app_configs():
        name, _ = MigrationLoader.migrations_module(app.label)
        if name is None:  # The settings disable them.
            continue
        try:
            package = import_module(name)
        except ModuleNotFoundError:
            continue
        names = (module.name for module in pkgutil.iter_modules(package.__path__))
        found |= {(app.label, name) for name in names if name[0] not in "_~"}
    return found
