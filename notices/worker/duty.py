"""The duty of workers that plans notices and sends them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import connections as databases
from django.utils import timezone

from connections.database_outages import DATABASE_UNAVAILABLE
from connections.models import Worker
from connections.worker.database import Database
from connections.worker.polling import PollTimer, seconds_until
from notices import delivery
from notices.actions import maintenance, planning, sending, troubles
from notices.actions.troubles import NOTICES
from notices.failures import Failure, SendingFailed, SendingPostponed
from notices.models import Notice

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0
CLEAN_SECONDS = 3600.0
# For connections without a worker, which nobody tells it of; they have three minutes anyway.
LOOK_SECONDS = 25.0
# Longer than a server can take for all steps of a mail, each of which has a deadline.
LEASE = timedelta(minutes=3)
AT_ONCE = 8
# A stop waits so long for what is being sent, and then for the database.
CLOSE_SECONDS = 3.0
RECORD_SECONDS = 1.5


class NoticeDuty:
    """A worker's notices. The supervisor runs its background tasks and calls `close`."""

    def __init__(self) -> None:
        self._owner = secrets.token_hex(16)
        self._database = Database()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="notices")
        self._running: set[asyncio.Task[None]] = set()
        self._timer = PollTimer(PAUSE_SECONDS)
        self._opened = self._closing = False
        self._look_at = 0.0

    @property
    def background_tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """The functions that the supervisor runs again and again, by name."""
        return {"send notices": self.run_once, "delete old notices": self._clean}

    @property
    def listeners(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[None]]]:
        """No messages of its own: see `wakers`."""
        return {}

    @property
    def wakers(self) -> Mapping[str, Callable[[], None]]:
        """What lets it look for troubles and notices."""
        return {NOTICES: self._timer.wake}

    async def run_once(self) -> None:
        """Plan what is due, begin to send what waits, and sleep."""
        await self._timer.wait(seconds_until(await self.advance()))

    async def advance(self) -> datetime | None:
        """Plan what is due, and begin to send what waits. Now and then, look for more.

        Return when there is something to do next, by what is stored now.
        """
        if not self._opened:
            if not Worker.are_shared():
                await self._database.run(sending.release)
            self._opened = True
        if monotonic() >= self._look_at:
            self._look_at = monotonic() + LOOK_SECONDS
            await self._database.run(troubles.find_without_room)
        next_plan = await self._database.run(planning.plan)
        next_notice = await self._database.run(sending.next_at)
        free = AT_ONCE - len(self._running)
        due = next_notice is not None and next_notice <= timezone.now()
        if due and free and not self._closing:
            for notice in await self._database.run(sending.claim, self._owner, LEASE, free):
                task = asyncio.create_task(self._send(notice), name="notice")
                self._running.add(task)
                task.add_done_callback(self._on_end)
        return min((at for at in (next_plan, next_notice) if at is not None), default=None)

    async def until_sent(self) -> None:
        """Wait for what is being sent."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Wait shortly for what is being sent, and give the leases back."""
        self._closing = True
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_SECONDS)
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await self._database.run_once(sending.release, self._owner)
                await self._database.run_once(databases.close_all)
        except (TimeoutError, *DATABASE_UNAVAILABLE):
            logger.warning("leases of notices could not be given back; they end by themselves")
        finally:
            self._database.close()
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _send(self, notice: Notice) -> None:
        """Send a notice, and store what came of it."""
        try:
            send = await self._database.run(delivery.prepare, notice)
            if send is None:
                await self._database.run(sending.drop, notice, self._owner)
                return
            await asyncio.get_running_loop().run_in_executor(self._threads, send)
        except SendingPostponed as later:
            await self._database.run(sending.postpone, notice, self._owner, later.until)
        except SendingFailed as error:
            await self._database.run(sending.record_failure, notice, self._owner, error)
        except Exception:
            # A bug. It is tried later, so that it is no loop.
            logger.exception("a notice could not be sent", extra={"notice": notice.pk})
            kind = Failure.MAIL_FAILED if _is_mail(notice) else Failure.CHAT_REFUSED
            failed = SendingFailed(kind)
            await self._database.run(sending.record_failure, notice, self._owner, failed)
        else:
            await self._database.run(sending.record_sent, notice, self._owner)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._timer.wake()  # It may be tried again, or make room for the next one.
        if not task.cancelled() and (error := task.exception()):
            logger.error("what became of a notice could not be stored", exc_info=error)

    async def _clean(self) -> None:
        while await self._database.run(maintenance.clean):
            await asyncio.sleep(0)
        await asyncio.sleep(CLEAN_SECONDS)


def _is_mail(notice: Notice) -> bool:
    return notice.address is not None and notice.address.kind == "mail"
