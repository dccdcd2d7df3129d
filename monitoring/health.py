"""Whether this process can serve: a look at each thing it stands on, with a deadline of its own.

Answers say only "ok" or "failed": whoever asks has not logged in. Why something failed is logged
once, when it begins to.
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
# Before the deadline, so that what waited is also cleaned up within it.
ROUND_TRIP_SECONDS = 1.5

DATABASE, MIGRATIONS, CHANNEL_LAYER, WORKER = "database", "migrations", "channel_layer", "worker"
CHECKS = (DATABASE, MIGRATIONS, CHANNEL_LAYER, WORKER)


class Unready(Exception):
    """Something is there and answers, but not as it must."""


class OneAtATime(Generic[T]):
    """A look that takes time. Who asks while it is under way waits for it, and begins no other."""

    def __init__(self, look: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._look = look
        self._task: asyncio.Task[T] | None = None

    async def within(self, seconds: float) -> T:
        """What it found. Raises TimeoutError, or what the look raised."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
            # Whoever it was for may be gone by then.
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        done, _ = await asyncio.wait([self._task], timeout=seconds)
        if not done:
            raise TimeoutError
        return self._task.result()


class Readiness:
    """The checks of one process. One that hangs is waited for, and not begun a second time."""

    def __init__(self) -> None:
        # Threads of its own, one for the figures: no probe waits behind people's requests.
        self._threads = ThreadPoolExecutor(len(CHECKS) + 1, thread_name_prefix="readiness")
        self._outages = {name: _outage_log() for name in CHECKS}
        # A channel belongs to the event loop in which it was made.
        self._channel: tuple[asyncio.AbstractEventLoop, str] | None = None
        self._migrated = False
        self._looks = {
            DATABASE: OneAtATime(lambda: self.in_thread(_answers)),
            MIGRATIONS: OneAtATime(lambda: self.in_thread(self._is_migrated)),
            CHANNEL_LAYER: OneAtATime(self._passes_signals),
            WORKER: OneAtATime(lambda: self.in_thread(_has_worker)),
        }

    async def look(self, names: Iterable[str] = CHECKS) -> dict[str, bool]:
        """Which of these are well, after two seconds at most."""
        wanted = list(names)
        found = await asyncio.gather(*(self._is_well(name) for name in wanted))
        return dict(zip(wanted, found, strict=True))

    async def in_thread(self, look: Callable[[], T]) -> T:
        """What `look` finds in the database, in a thread that leaves no connection behind."""

        def looking() -> T:
            try:
                return look()
            finally:
                connections.close_all()

        return await asyncio.get_running_loop().run_in_executor(self._threads, looking)

    async def _is_well(self, name: str) -> bool:
        try:
            await self._looks[name].within(DEADLINE_SECONDS)
        except Exception as error:
            self._outages[name].record_failure(check=name, why=type(error).__name__)
            return False
        self._outages[name].record_success(check=name)
        return True

    async def _passes_signals(self) -> None:
        """Send oneself a signal, and hear it."""
        layer: Any = get_channel_layer()
        word, loop = secrets.token_hex(8), asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ROUND_TRIP_SECONDS):
                if self._channel is None or self._channel[0] is not loop:
                    self._channel = (loop, await layer.new_channel())
                channel = self._channel[1]
                await layer.send(channel, {"type": "probe", "word": word})
                # What a slower one before this one was sent comes first.
                while (await layer.receive(channel))["word"] != word:
                    continue
        except BaseException:
            self._channel = None
            raise

    def _is_migrated(self) -> None:
        """Whether every migration that this process knows is applied; asked until it is so."""
        if self._migrated:
            return
        if missing := known_migrations() - set(MigrationRecorder(connection).applied_migrations()):
            raise Unready(f"{len(missing)} migrations are not applied")
        self._migrated = True


def _outage_log() -> OutageLog:
    began, ended = "a check of readiness fails", "a check of readiness is well again"
    return OutageLog(logger, began, ended, level=logging.WARNING)


def _answers() -> None:
    with connection.cursor() as cursor:
        # SQLite answers "SELECT 1" without a look at its file.
        cursor.execute(
            "PRAGMA schema_version" if connection.vendor == "sqlite" else "SELECT 1",
        )
        cursor.fetchone()


def _has_worker() -> None:
    if not Worker.any_alive():
        raise Unready("no worker has given a sign of life lately")


def known_migrations() -> set[tuple[str, str]]:
    """The app and the name of each migration, by its file: to import them all costs megabytes."""
    found = set()
    for app in apps.get_app_configs():
        name, _ = MigrationLoader.migrations_module(app.label)
        if name is None:  # The settings leave them out.
            continue
        try:
            package = import_module(name)
        except ModuleNotFoundError:
            continue
        names = (module.name for module in pkgutil.iter_modules(package.__path__))
        found |= {(app.label, name) for name in names if name[0] not in "_~"}
    return found
