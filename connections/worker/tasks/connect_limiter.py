"""Limits how fast clients connect, so that the end of an outage is no stampede."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

logger = logging.getLogger(__name__)

# After so many failed connects in a row it is an outage, not a fault of one organization.
OUTAGE_FAILURES = 3
# Connects per second that detect the end of an outage.
OUTAGE_CONNECTS_PER_SECOND = 2.0
# The seconds' worth of connects that may start at once, so that a single client never waits.
BURST_SECONDS = 0.5
# The least time between two requests of a person that try a refused version again.
URGENT_RETRY_SECONDS = 60.0


class ClientOutdated(Exception):
    """WhatsApp refuses this version of the client; `until`: when it is asked again."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class ConnectLimiter:
    """Limits the rate of connects, and detects outages of WhatsApp."""

    def __init__(self) -> None:
        self._turn_lock = asyncio.Lock()
        self._next = 0.0
        self._failures = 0
        self._outage_over = asyncio.Event()  # set and replaced when an outage ends
        self._outdated_at = 0.0
        self._outdated_retry_at = 0.0
        self.outdated_since: datetime | None = None
        self.workers = 1  # that share the rate

    @property
    def outage(self) -> bool:
        """Return whether the last connects all failed."""
        return self._failures >= OUTAGE_FAILURES

    @property
    def blocked(self) -> bool:
        """Return whether a client that connects now would not get through."""
        return self.outage or self.outdated_since is not None

    async def acquire(self, urgent: bool = False) -> None:
        """Wait until a client may connect. Raises ClientOutdated.

        `urgent`: a person waits for it, so it overtakes those that reconnect by themselves.
        """
        if not urgent:
            async with self._turn_lock:
                self._check_outdated(urgent)
                await self._wait_for_turn()
        self._check_outdated(urgent)
        if self.outdated_since is not None:
            self._outdated_retry_at = self._now() + settings.OUTDATED_RETRY_SECONDS
        rate = self._rate(urgent)
        self._next = max(self._next, self._now() - BURST_SECONDS) + 1 / rate

    def record_success(self) -> None:
        """Record that WhatsApp accepted a client, which ends an outage."""
        ended = self._failures > 0 or self.outdated_since is not None
        self._failures = 0
        if self.outdated_since is not None:
            logger.warning("WhatsApp accepts this version of the client again")
            self.outdated_since = None
        if ended:
            self._next = min(self._next, self._now())
            self._outage_over.set()
            self._outage_over = asyncio.Event()

    def record_failure(self) -> None:
        """Record that WhatsApp could not be reached."""
        self._failures += 1
        if self._failures == OUTAGE_FAILURES:
            logger.warning("WhatsApp cannot be reached; connecting slowly until it can")

    def record_outdated(self) -> None:
        """Record that WhatsApp refuses this version, and log it once."""
        self._outdated_at = self._now()
        if self.outdated_since is None:
            self.outdated_since = timezone.now()
            self._outdated_retry_at = self._now() + settings.OUTDATED_RETRY_SECONDS
            logger.error(
                "WhatsApp refuses this version of the client, so no organization can connect. "
                "Update neonize. One client asks again now and then"
            )

    async def pause(self, seconds: float, until_outage_ends: bool = False) -> None:
        """Wait; with `until_outage_ends` only until any client gets through."""
        if not until_outage_ends:
            return await asyncio.sleep(seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._outage_over.wait()
        except TimeoutError:
            return

    async def _wait_for_turn(self) -> None:
        while (wait := self._next - self._now()) > 0:
            # In an outage turns are far apart, so its end cuts the wait short.
            await self.pause(wait, until_outage_ends=True)

    def _check_outdated(self, urgent: bool) -> None:
        if self.outdated_since is None:
            return
        may_ask_again = urgent and self._now() - self._outdated_at >= URGENT_RETRY_SECONDS
        if not may_ask_again and self._now() < self._outdated_retry_at:
            raise ClientOutdated(
                timezone.now() + timedelta(seconds=self._outdated_retry_at - self._now())
            )

    def _rate(self, urgent: bool) -> float:
        normal = settings.CONNECTS_PER_SECOND / max(1, self.workers)
        return min(normal, OUTAGE_CONNECTS_PER_SECOND) if self.outage and not urgent else normal

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
