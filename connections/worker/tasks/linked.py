"""Holding the link of an organization with the saved credentials, for as long as it can be held."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from connections.lifecycle import AnyObservation, Reason
from connections.stores import StoreDamaged, StoreUnusable
from connections.worker.hosts.handle import HostBroken
from connections.worker.tasks.connect_limiter import Outdated
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.event_mapping import USELESS, Permanent, Retryable, Unavailable
from connections.worker.tasks.linked_client import HostWornOut, LinkedClient
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.stability import HELD_SECONDS, Stability

logger = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 60.0
# After so many crashes in a row an organization may be what crashes the hosts.
SUSPICIOUS_CRASHES = 2
# What a login ends with whose connection was dropped.
DROPS = (Reason.LINK_LOST, Reason.NOT_ANSWERING)


class Linked:
    """One organization's link, through drops, outages and crashes."""

    def __init__(self, owned: OwnedConnection) -> None:
        self._owned = owned
        self._limiter = owned.context.connect_limiter
        self._failures = 0
        self._crashes = 0
        self._client = LinkedClient(owned)

    @property
    def _stability(self) -> Stability:
        return self._owned.context.stability[self._owned.id]

    async def run(self) -> AnyObservation | None:
        """Hold the link. Return why a fresh pairing should follow, None when a person must help."""
        banned_until = await self._owned.banned_until()
        if banned_until is not None:
            await self._wait_until(banned_until)
        while True:
            try:
                await self._hold()
            except HostWornOut:
                continue
            except Permanent as final:
                if final.observation in USELESS and self._owned.requested:
                    # Someone pressed Reconnect, and the saved credentials are worthless: the
                    # fresh QR code comes at once, not after another press.
                    return final.observation
                await self._owned.observe(final.observation, final.detail)
                return None
            except Outdated as held:
                await self._owned.observe(Reason.CLIENT_OUTDATED, retry_at=held.until)
                await self._wait_until(held.until, until_over=True)
            except Retryable as dropped:
                if dropped.observation in DROPS and self._client.ended_too_soon:
                    await self._pause(dropped)
                else:
                    await self._back_off(dropped)

    async def _hold(self) -> None:
        """Open a client and follow it to its end.

        Raises HostWornOut, Permanent, Outdated, Retryable.
        """
        owned = self._owned
        self._client = LinkedClient(owned)
        if self._failures or self._stability.drops:
            await self._check_store()
        await self._limiter.acquire(urgent=owned.requested and not self._failures)
        try:
            alone = self._crashes >= SUSPICIOUS_CRASHES
            owned.link = await owned.context.clients.open(owned.id, owned.store_name, alone)
            await self._client.follow(owned.link)
        except HostBroken as error:
            logger.exception("no session host", extra={"organization": owned.id})
            raise Retryable(Reason.HOST_CRASHED, str(error)) from error
        finally:
            if self._client.has_held:
                self._failures = self._crashes = 0
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                await owned.close()  # Otherwise whoever cancelled has use for it.

    async def _check_store(self) -> None:
        """Check that the device is still in its store. Raises Permanent.

        whatsmeow deletes a device that was refused for good, and may hang before it says so.
        """
        owned = self._owned
        try:
            number = await owned.linked_number(owned.store_name)
            exists = bool(number) or await owned.thread(
                owned.context.stores.exists, owned.id, owned.store_name
            )
        except StoreDamaged as error:
            raise Permanent(Reason.CREDENTIALS_DAMAGED) from error
        except StoreUnusable:
            return  # Opening it tells, and is tried again.
        if not number:
            gone = Reason.FORGOTTEN if exists else Reason.CREDENTIALS_MISSING
            raise Permanent(gone)

    async def _pause(self, dropped: Retryable) -> None:
        """Wait before the next login, as the last one was dropped before it had held."""
        let_in = self._client.let_in
        stability = self._stability
        seconds = stability.record_drop(let_in)
        observation, detail = dropped.observation, dropped.detail
        if stability.unstable:
            observation = Reason.LINK_UNSTABLE
            detail = (
                f"it was dropped {stability.drops} times in a row, within {HELD_SECONDS:.0f} s "
                "of the login"
            )
        elif not let_in:
            observation = self._name_refusal(observation)
        if not let_in:
            self._limiter.record_failure()
        retry_at = timezone.now() + timedelta(seconds=seconds)
        await self._owned.observe(observation, detail, retry_at)
        await self._limiter.pause(seconds)

    async def _back_off(self, dropped: Retryable) -> None:
        """Write down what broke, and wait before it is tried again."""
        was_up = self._client.was_up
        observation = self._name_refusal(dropped.observation)
        if dropped.observation == Reason.HOST_CRASHED:
            self._crashes += 1
        if isinstance(dropped, Unavailable) or (
            not was_up and observation in (Reason.UNREACHABLE, Reason.LINK_LOST)
        ):
            self._limiter.record_failure()
        if observation == Reason.CLIENT_OUTDATED:
            self._limiter.record_outdated()
            return  # The next turn says until when.
        at_once = was_up and self._failures == 0
        wait = min(MAX_BACKOFF_SECONDS, 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)
        self._failures += 1
        retry_at = None if at_once else timezone.now() + timedelta(seconds=wait)
        await self._owned.observe(observation, dropped.detail, dropped.until or retry_at)
        if dropped.until is not None:
            await self._wait_until(dropped.until)
        elif not at_once:
            await self._limiter.pause(wait, until_over=observation == Reason.UNREACHABLE)

    def _name_refusal(self, observation: AnyObservation) -> AnyObservation:
        """Tell a login that has been refused for long from one that was refused just now."""
        cut_off = observation == Reason.LINK_LOST and not self._client.let_in
        if observation != Reason.LOGIN_REFUSED and (not cut_off or self._limiter.outage):
            return observation
        lasted = self._stability.record_refusal(loop_time())
        long = lasted >= settings.LOGIN_REFUSED_LONG_SECONDS
        return Reason.LOGIN_STILL_REFUSED if long else observation

    async def _wait_until(self, moment: datetime, until_over: bool = False) -> None:
        """Until then, and a little longer: those that wait for the same moment spread out."""
        seconds = max(0.0, (moment - timezone.now()).total_seconds()) + random.uniform(0.1, 1.0)
        await self._limiter.pause(seconds, until_over)
