"""How fast clients are started, over all organizations: an outage's end must be no stampede."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

logger = logging.getLogger(__name__)

# So many dials in a row have failed that it is not one organization's bad luck.
OUTAGE_FAILURES = 3
# Dials a second that find out whether an outage is over.
OUTAGE_DIALS_PER_SECOND = 2.0
# Half a second's worth may start at once, so that one alone never waits.
BURST_SECONDS = 0.5
# A person who presses Reconnect gets a fresh answer from WhatsApp, but not each time.
ASKED_AGAIN_SECONDS = 60.0


class Outdated(Exception):
    """WhatsApp refuses this version of the software; `until`: when that is looked at again."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class ConnectLimiter:
    """Gives each start of a client its turn, and knows whether WhatsApp can be reached at all."""

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        self._next = 0.0
        self._failures = 0
        self._over = asyncio.Event()  # set and replaced when an outage ends
        self._outdated_at = 0.0
        self._probe_at = 0.0
        self.outdated_since: datetime | None = None
        self.workers = 1  # that share the turns

    @property
    def outage(self) -> bool:
        """Whether nobody has got through lately."""
        return self._failures >= OUTAGE_FAILURES

    async def acquire(self, urgent: bool = False) -> None:
        """Wait until a client may be started. Raises Outdated.

        `urgent`: a person waits for it, so it goes before those that come back by themselves.
        """
        if not urgent:
            async with self._queue:
                self._check_outdated(urgent)
                await self._wait_for_turn()
        self._check_outdated(urgent)
        if self.outdated_since is not None:
            self._probe_at = self._now() + settings.OUTDATED_RETRY_SECONDS
        rate = self._rate(urgent)
        self._next = max(self._next, self._now() - BURST_SECONDS) + 1 / rate

    def record_success(self) -> None:
        """WhatsApp accepted a client: those that wait for the end of an outage may come."""
        ended = self._failures > 0 or self.outdated_since is not None
        self._failures = 0
        if self.outdated_since is not None:
            logger.warning("WhatsApp accepts this version of the client again")
            self.outdated_since = None
        if ended:
            self._next = min(self._next, self._now())
            self._over.set()
            self._over = asyncio.Event()

    def record_failure(self) -> None:
        """WhatsApp could not be reached."""
        self._failures += 1
        if self._failures == OUTAGE_FAILURES:
            logger.warning("WhatsApp cannot be reached; connecting slowly until it can")

    def record_outdated(self) -> None:
        """WhatsApp refuses this version: one alarm, and one client asks again now and then."""
        self._outdated_at = self._now()
        if self.outdated_since is None:
            self.outdated_since = timezone.now()
            self._probe_at = self._now() + settings.OUTDATED_RETRY_SECONDS
            logger.error(
                "WhatsApp refuses this version of the client, so no organization can connect. "
                "Update neonize. One client asks again now and then"
            )

    async def pause(self, seconds: float, until_over: bool = False) -> None:
        """Wait, but with `until_over` no longer than it takes for anyone to get through."""
        if not until_over:
            return await asyncio.sleep(seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return

    async def _wait_for_turn(self) -> None:
        while (wait := self._next - self._now()) > 0:
            # In an outage the turns are far apart, and its end is worth waking up for.
            await self.pause(wait, until_over=True)

    def _check_outdated(self, urgent: bool) -> None:
        if self.outdated_since is None:
            return
        asked = urgent and self._now() - self._outdated_at >= ASKED_AGAIN_SECONDS
        if not asked and self._now() < self._probe_at:
            raise Outdated(timezone.now() + timedelta(seconds=self._probe_at - self._now()))

    def _rate(self, urgent: bool) -> float:
        normal = settings.CONNECTS_PER_SECOND / max(1, self.workers)
        return min(normal, OUTAGE_DIALS_PER_SECOND) if self.outage and not urgent else normal

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
