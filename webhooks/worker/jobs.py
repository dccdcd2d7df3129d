"""A job: one leased cursor in memory, its batch, and what was done since the last report."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime

from django.utils import timezone

from webhooks.actions.loading import Batch
from webhooks.actions.results import Report
from webhooks.models import Attempt, Cursor, Delivery
from webhooks.outcomes import drop


class Job:
    """A cursor that this worker leases until `deadline`, in seconds of the event loop."""

    def __init__(self, cursor: Cursor, deadline: float) -> None:
        self.cursor = cursor
        self.deadline = deadline
        self.batch = Batch([], cursor.position, False)
        self.task: asyncio.Task[None] | None = None
        self.stopped = False
        self.finished = False
        """Whether the batch is done and the cursor may read on."""
        self.skips = False
        """Whether the last part of the log had nothing for it."""
        self.log_has_grown = False
        """Whether its log may have grown since the batch was read."""
        self.drained = False
        """Whether it was released because there was nothing more to send."""
        self._report: Report | None = None

    def take(self, batch: Batch) -> None:
        """Go on with another batch. Deliveries whose events were deleted end here."""
        self.batch, self.finished = batch, False
        for delivery in batch.dropped:
            drop(delivery, timezone.now())
            self._pending.updated.append(delivery)
        self.skips = not batch.items

    def note(self, delivery: Delivery, attempt: Attempt, is_new: bool) -> None:
        """Remember an attempt for the next report."""
        report = self._pending
        (report.created if is_new else report.updated).append(delivery)
        report.attempts.append(attempt)
        self._update(report)

    def notice(self, types: Collection[str] | None) -> None:
        """Note that events of these types have come, or of unknown ones (None)."""
        self.log_has_grown = self.log_has_grown or self.cursor.endpoint.wants(types)

    def finish(self) -> None:
        """Note that the whole batch was taken."""
        self.cursor.position = max(self.cursor.position, self.batch.end)
        self.finished = True
        self._update(self._pending)

    def release_drained(self) -> None:
        """Give the lease back with the next report: the next notification brings it back."""
        self.drained = True
        self.release(timezone.now())

    def release(self, due_at: datetime | None = None) -> None:
        """Give the lease back with the next report. `due_at`: when to go on, if not as it is."""
        if due_at is not None:
            self.cursor.due_at = due_at
        self.stopped, self.finished = True, False
        self._update(self._pending)
        self._pending.release = True

    @property
    def is_over(self) -> bool:
        """Whether the cursor has an end, and is there."""
        return self.cursor.end is not None and self.cursor.position >= self.cursor.end

    @property
    def has_report(self) -> bool:
        return self._report is not None

    def take_report(self) -> Report:
        """Return what was done since the last report, and begin a new one."""
        report, self._report = self._pending, None
        return report

    @property
    def _pending(self) -> Report:
        if self._report is None:
            cursor = self.cursor
            self._report = Report(
                cursor.pk,
                cursor.endpoint_id,
                cursor.endpoint.revision,
                cursor.position,
                cursor.due_at,
                cursor.slow,
            )
        return self._report

    def _update(self, report: Report) -> None:
        report.position, report.slow = self.cursor.position, self.cursor.slow
        report.due_at = self.cursor.due_at
