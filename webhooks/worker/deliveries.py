"""Delivers webhooks: claims cursors, sends their events, and stores what came of it.

All work on the database is done in turns, each for all jobs together: what they have done is
stored, what they send next is read, and further cursors are claimed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import connections as databases
from django.utils import timezone

from connections.database_outages import DATABASE_UNAVAILABLE
from connections.models import Worker
from connections.worker.database import Database
from connections.worker.polling import PollTimer
from connections.worker.tasks.context import loop_time
from events import notifications
from events.notifications import ALL_LOGS_GROUP
from outbound.client import open_client
from outbound.policy import webhook_policy
from webhooks.actions import claims, given_up, loading, maintenance, results
from webhooks.actions.claims import Room
from webhooks.actions.loading import Batch
from webhooks.actions.results import Report
from webhooks.models import Cursor
from webhooks.worker import polling
from webhooks.worker.jobs import Job
from webhooks.worker.polling import DeliveryPolls
from webhooks.worker.sending import Sender
from webhooks.worker.sockets import Sockets

logger = logging.getLogger(__name__)

T = TypeVar("T")

LEASE_SECONDS = 30.0
# The longest request, and some time to store what came of it.
LEASE_MARGIN_SECONDS = 12.0
FOLLOW_SECONDS = 5.0
CLEAN_SECONDS = 300.0
# A stop waits so long for the requests under way, and then for the database.
CLOSE_SECONDS = 3.0
RECORD_SECONDS = 1.5
JOBS_PER_SOCKET = 2
PARTS_PER_TURN = 10
# So that no turn lasts for a large part of a lease.
CLAIMS_PER_TURN = REPORTS_PER_TURN = 200


class WebhookDeliveries:
    """A worker's deliveries. The supervisor runs its background tasks and calls `close`."""

    def __init__(self, lease_seconds: float = LEASE_SECONDS) -> None:
        self._owner = secrets.token_hex(16)
        self._lease = timedelta(seconds=lease_seconds)
        self._shared = Worker.are_shared()
        self._database = Database()
        self._sockets = Sockets(settings.WEBHOOK_SOCKETS, settings.WEBHOOK_SOCKETS_PER_HOST)
        self._jobs: dict[int, Job] = {}
        self._renewed_at = 0.0
        self._follow_timer = PollTimer(FOLLOW_SECONDS)
        # It may be the first event of a new organization.
        self._polls = DeliveryPolls(self._follow_timer.wake)
        self._more = self._released = False
        self._unrecorded: list[Report] = []
        self._resources = AsyncExitStack()
        self._sender: Sender | None = None
        self._closing = False

    @property
    def background_tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """The functions that the supervisor runs again and again, by name."""
        return {
            "deliver webhooks": self.run,
            "follow new organizations": self._follow,
            "delete old deliveries": self._clean,
        }

    @property
    def listeners(self) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[None]]]:
        """What is called with each message to a group, by group."""
        return {ALL_LOGS_GROUP: self.notify}

    @property
    def wakers(self) -> dict[str, Callable[[], None]]:
        """What lets it look for all that is due."""
        return {"webhooks": self._polls.poll_soon}

    async def notify(self, message: Mapping[str, Any]) -> None:
        """Look soon for what is due in an organization, or everywhere."""
        if message["organization"] is None:
            self._polls.poll_soon()
        else:
            self._polls.notice({message["organization"]: message.get("types")})

    async def run(self) -> None:
        """Deliver until it is cancelled. After an error nothing is left in memory."""
        try:
            await self._open()
            while True:
                self._polls.begin_turn()
                await self._turn()
                await self._polls.wait(self._renew_at if self._jobs else None)
        except Exception:
            self._abandon()
            raise

    async def close(self) -> None:
        """Wait shortly for the requests under way, store the results and give the leases back."""
        self._closing = True
        notifications.remove_own_reader(self._polls.notice_own)
        jobs = list(self._jobs.values())
        for job in jobs:
            job.stopped = True
        tasks = [job.task for job in jobs if job.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        reports = [*self._unrecorded, *(job.take_report() for job in jobs if job.has_report)]
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await self._database.run_once(results.record, self._owner, reports)
                # Also those of a claim whose answer was not waited for.
                await self._database.run_once(claims.release, self._owner)
                await self._database.run_once(databases.close_all)
        except (TimeoutError, *DATABASE_UNAVAILABLE):
            logger.warning("what was delivered last could not be stored; it goes out again")
        finally:
            self._abandon()
            self._database.close()
            await self._resources.aclose()

    # --- Turns ----------------------------------------------------------------------------------

    async def _open(self) -> None:
        if self._sender is not None:
            return
        if not self._shared:
            await self._db(claims.release_all)
        client = open_client(webhook_policy(), sockets=settings.WEBHOOK_SOCKETS)
        opened = await self._resources.enter_async_context(client)
        self._sender = Sender(opened, self._sockets, self._polls.store_soon)
        notifications.add_own_reader(self._polls.notice_own)

    async def _turn(self) -> None:
        """Store what was done, read what comes next, and claim what is due."""
        finished = [job for job in self._jobs.values() if job.finished]
        # While others wait for their turn, nobody sends two batches in a row.
        over = [job for job in finished if job.stopped or job.is_over or self._more]
        for job in over:
            job.release(timezone.now())
        for job in finished:
            if not job.stopped and self._is_drained(job):
                job.release_drained()
        await self._read_on([job for job in finished if not job.stopped])
        reporting = [job for job in self._jobs.values() if job.has_report]
        self._unrecorded += [job.take_report() for job in reporting]
        while self._unrecorded:
            await self._renew()
            await self._record(self._unrecorded[:REPORTS_PER_TURN])
        for job in finished:
            if job.cursor.pk in self._jobs and not job.stopped:
                self._start(job)
        await self._renew()
        await self._claim()

    async def _record(self, reports: list[Report]) -> None:
        """Store the first of the reports, and forget the jobs whose leases they give back."""
        gone = await self._db(results.record, self._owner, reports)
        del self._unrecorded[: len(reports)]
        released = {report.cursor_id for report in reports if report.release}
        for pk in gone - released:
            self._stop(pk)
        for pk in released:
            job = self._jobs.pop(pk)
            self._released = True
            # What comes after the last look at a log wakes its organization by itself.
            if not job.drained:
                # The next look finds out when it is due.
                self._polls.poll_within(polling.POLL_SECONDS)
                if job.cursor.organization_id is not None:
                    self._polls.look_again(job.cursor.organization_id)

    def _is_drained(self, job: Job) -> bool:
        """Return whether nothing has come for a job since its batch was read."""
        organization_id, grown = job.cursor.organization_id, self._polls.organizations
        if organization_id is not None and organization_id in grown:
            job.notice(grown[organization_id])
        return job.batch.drained and not job.log_has_grown

    async def _read_on(self, jobs: Sequence[Job]) -> None:
        """Give finished jobs their next batch, or release those that have nothing to send.

        Those that find nothing in many parts of their log go on in the next turn.
        """
        for _ in range(PARTS_PER_TURN):
            if not jobs:
                return
            skips = [job.cursor.pk for job in jobs if job.skips]
            cursors = [job.cursor for job in jobs]
            for job in jobs:
                job.log_has_grown = False
            batches = await self._db(loading.load, cursors, skips)
            jobs = self._take(jobs, batches)

    def _take(self, jobs: Sequence[Job], batches: Mapping[int, Batch]) -> list[Job]:
        """Give jobs their batches. Return those that have to read on to find anything."""
        for job in jobs:
            job.take(batches[job.cursor.pk])
        empty = [job for job in jobs if not job.batch.items]
        for job in empty:
            job.finish()
            if job.batch.drained:
                job.release_drained()
        return [job for job in empty if not job.batch.drained]

    async def _claim(self) -> None:
        """Claim what is due: everywhere when something is, else where the log has grown."""
        now = loop_time()
        poll = (self._more and self._released) or self._polls.is_due
        if self._closing or not (poll or self._polls.organizations):
            return
        woken, own = self._polls.take()
        for job in self._jobs.values():
            if poll or job.cursor.organization_id in woken:
                job.notice(None if poll else woken[job.cursor.organization_id or 0])
        self._released = False
        if poll:
            self._polls.poll_in(polling.POLL_SECONDS)
            if self._shared and len(own) <= polling.MAX_WOKEN:
                # It does not tell where other workers send; the next look does.
                self._polls.notice_own({pk: woken[pk] for pk in own})
        claim = partial(claims.claim, self._owner, self._lease, self._room())
        claimed = await self._db(claim, list(self._jobs), None if poll else woken)
        self._more = claimed.more or (self._more and not poll)
        if claimed.more:
            full = len(claimed.cursors) >= CLAIMS_PER_TURN
            self._polls.poll_within(0.0 if full else polling.POLL_SECONDS)
        elif poll and not claimed.cursors:
            self._polls.poll_at(claimed.next_at)
        if not self._jobs:
            self._renewed_at = now  # All leases are new.
        jobs = [self._add(cursor, now) for cursor in claimed.cursors]
        await self._read_on(self._take(jobs, claimed.batches))
        for job in jobs:
            if not job.stopped:
                self._start(job)
        if any(job.stopped for job in jobs):
            self._polls.turn_soon()
        await notifications.tell_workers(own.intersection(claimed.elsewhere))

    def _room(self) -> Room:
        """Return how many further cursors fit into memory and have a chance of a socket soon."""
        total = JOBS_PER_SOCKET * settings.WEBHOOK_SOCKETS
        slow = sum(job.cursor.slow for job in self._jobs.values())
        return Room(
            min(CLAIMS_PER_TURN, total - (len(self._jobs) - slow)),
            total // 4 - slow,
            Counter(job.cursor.endpoint.host for job in self._jobs.values()),
            JOBS_PER_SOCKET * settings.WEBHOOK_SOCKETS_PER_HOST,
        )

    @property
    def _renew_at(self) -> float:
        return self._renewed_at + self._lease.total_seconds() / 3

    async def _renew(self) -> None:
        """Renew the leases in time; stop what is not ours any more."""
        now = loop_time()
        if not self._jobs or now < self._renew_at:
            return
        self._renewed_at = now
        kept = await self._db(claims.renew, self._owner, self._lease, list(self._jobs))
        for pk, job in self._jobs.items():
            if pk in kept:
                job.deadline = self._deadline(now)
            else:
                self._stop(pk)

    # --- Jobs -----------------------------------------------------------------------------------

    def _add(self, cursor: Cursor, claimed_at: float) -> Job:
        job = self._jobs[cursor.pk] = Job(cursor, self._deadline(claimed_at))
        return job

    def _deadline(self, leased_at: float) -> float:
        """Return until when a lease from that time lets requests begin."""
        seconds = self._lease.total_seconds()
        return leased_at + seconds - min(LEASE_MARGIN_SECONDS, seconds / 2)

    def _start(self, job: Job) -> None:
        assert self._sender is not None
        job.task = asyncio.create_task(self._sender.send(job), name="webhook")
        job.task.add_done_callback(partial(self._on_end, job))

    def _on_end(self, job: Job, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            # A bug: the cursor stays where it is, and is tried again after a while.
            logger.error("a webhook's events could not be sent", exc_info=error)
            job.release(timezone.now() + self._lease)
        self._polls.turn_soon()

    def _stop(self, pk: int) -> None:
        """Let a job end after the request under way."""
        job = self._jobs.get(pk)
        if job is None:
            return
        job.stopped = True
        if job.task is None or job.task.done():
            job.release()
            self._polls.turn_soon()

    def _abandon(self) -> None:
        """Forget all jobs; their leases end by themselves."""
        for job in self._jobs.values():
            if job.task is not None:
                job.task.cancel()
        self._jobs.clear()
        self._unrecorded = []
        self._polls.poll_soon()

    # --- Background -----------------------------------------------------------------------------

    async def _db(self, function: Callable[..., T], *arguments: object) -> T:
        return await self._database.run(function, *arguments)

    async def _follow(self) -> None:
        if await self._db(maintenance.follow_new_organizations):
            self._polls.poll_soon()
        await self._follow_timer.wait()

    async def _clean(self) -> None:
        while await self._db(maintenance.clean):
            await asyncio.sleep(0)
        await self._db(given_up.end_all_arrived)
        await asyncio.sleep(CLEAN_SECONDS)
