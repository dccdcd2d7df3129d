"""Keeps an organization linked with its saved credentials: log in, reconnect, back off."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from connections.lifecycle import AnyObservation, Reason
from connections.stores import StoreDamaged, StoreUnusable
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.handle import HostError
from connections.worker.tasks.connect_limiter import ClientOutdated
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.event_mapping import (
    INVALID_CREDENTIALS,
    Permanent,
    Retryable,
    WhatsAppUnavailable,
)
from connections.worker.tasks.linked_client import HostRecycled, LinkedClient
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.stability import STABLE_SECONDS, Stability

logger = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 60.0
# After so many crashes in a row an organization may cause them, and gets its own host.
DEDICATED_HOST_CRASHES = 2
# There was no login that WhatsApp could have refused.
NO_LOGIN = (Reason.UNREACHABLE, Reason.UNAVAILABLE)
# The reasons of a dropped connection.
DROP_REASONS = (Reason.LINK_LOST, Reason.NOT_ANSWERING)


class NoHost(Retryable):
    """No host process could be started, for which no organization is to blame."""


class LinkKeeper:
    """Keeps one organization's link through drops, outages and crashes."""

    def __init__(self, owned: OwnedConnection) -> None:
        self._owned = owned
        self._limiter = owned.context.connect_limiter
        self._failures = 0
        self._crashes = 0
        self._linked_client = LinkedClient(owned)

    @property
    def _stability(self) -> Stability:
        return self._owned.context.stability[self._owned.id]

    async def run(self) -> AnyObservation | None:
        """Keep the link. Return why a new pairing should follow, None when a person must help."""
        claimed, self._owned.claimed = self._owned.claimed, None
        banned_until = claimed.banned_until if claimed else await self._owned.banned_until()
        if banned_until is not None:
            await self._wait_until(banned_until)
        while True:
            try:
                await self._open_and_follow()
            except HostRecycled:
                continue
            except Permanent as failure:
                if failure.observation in INVALID_CREDENTIALS and self._owned.requested:
                    # Someone pressed Reconnect, and the saved credentials are invalid: show a
                    # QR code at once, not after another press.
                    return failure.observation
                await self._owned.record_event(failure.observation, failure.detail)
                return None
            except ClientOutdated as outdated:
                await self._owned.record_event(Reason.CLIENT_OUTDATED, retry_at=outdated.until)
                await self._wait_until(outdated.until, until_outage_ends=True)
            except Retryable as dropped:
                if dropped.observation in DROP_REASONS and self._linked_client.ended_before_stable:
                    await self._wait_after_early_drop(dropped)
                else:
                    await self._back_off(dropped)

    async def _open_and_follow(self) -> None:
        """Open a client and follow it to its end.

        Raises HostRecycled, Permanent, ClientOutdated, Retryable.
        """
        owned = self._owned
        self._linked_client = LinkedClient(owned)
        if self._failures or self._stability.drops:
            await self._check_store()
        await owned.find_lost()
        await self._limiter.acquire(urgent=owned.requested and not self._failures)
        try:
            owned.client = await self._open()
            await self._linked_client.follow(owned.client)
        finally:
            if self._linked_client.was_stable:
                self._failures = self._crashes = 0
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                await owned.close()  # A cancelled task leaves its client to the next task.

    async def _open(self) -> ClientHandle:
        """Open a client. Raises Retryable."""
        owned = self._owned
        dedicated = self._crashes >= DEDICATED_HOST_CRASHES
        proxy = await owned.find_proxy()
        try:
            return await owned.context.clients.open(owned.id, owned.store_name, dedicated, proxy)
        except HostError as error:
            logger.exception("no host could be started", extra={"organization": owned.id})
            raise NoHost(Reason.HOST_CRASHED, str(error)) from error
        except OSError as error:
            logger.exception("a spool cannot be made", extra={"organization": owned.id})
            raise Retryable(Reason.STORE_UNUSABLE, error.strerror or "") from error

    async def _check_store(self) -> None:
        """Check that the device is still in its store. Raises Permanent.

        whatsmeow deletes a permanently refused device, and may hang before it reports that.
        """
        owned = self._owned
        try:
            number = await owned.linked_number(owned.store_name)
            exists = bool(number) or await owned.run_in_thread(
                owned.context.stores.exists, owned.id, owned.store_name
            )
        except StoreDamaged as error:
            raise Permanent(Reason.CREDENTIALS_DAMAGED) from error
        except StoreUnusable:
            return  # Opening the store fails, too, and is retried.
        if not number:
            gone = Reason.FORGOTTEN if exists else Reason.CREDENTIALS_MISSING
            raise Permanent(gone)

    async def _wait_after_early_drop(self, dropped: Retryable) -> None:
        """Wait before the next login, as the last one was dropped before it was stable."""
        login_accepted = self._linked_client.login_accepted
        stability = self._stability
        seconds = stability.record_drop(login_accepted)
        observation, detail = dropped.observation, dropped.detail
        if stability.unstable:
            observation = Reason.LINK_UNSTABLE
            detail = (
                f"it was dropped {stability.drops} times in a row, within {STABLE_SECONDS:.0f} s "
                "of the login"
            )
        elif not login_accepted:
            observation = self._name_refusal(observation)
        if not (login_accepted or self._owned.proxied):
            self._limiter.record_failure()
        retry_at = timezone.now() + timedelta(seconds=seconds)
        await self._owned.record_event(observation, detail, retry_at)
        await self._limiter.pause(seconds)

    async def _back_off(self, dropped: Retryable) -> None:
        """Record the failure, and wait before the next login."""
        was_connected = self._linked_client.was_connected
        observation = self._name_refusal(dropped.observation)
        if dropped.observation == Reason.HOST_CRASHED and not isinstance(dropped, NoHost):
            self._crashes += 1
        unreached = not was_connected and observation in (*NO_LOGIN, Reason.LINK_LOST)
        # What one organization's proxy does says nothing about WhatsApp.
        if isinstance(dropped, WhatsAppUnavailable) or (unreached and not self._owned.proxied):
            self._limiter.record_failure()
        if observation == Reason.CLIENT_OUTDATED:
            self._limiter.record_outdated()
            return  # The connect limiter raises ClientOutdated at the next login.
        at_once = was_connected and self._failures == 0
        wait = min(MAX_BACKOFF_SECONDS, 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)
        self._failures += 1
        retry_at = None if at_once else timezone.now() + timedelta(seconds=wait)
        await self._owned.record_event(observation, dropped.detail, dropped.until or retry_at)
        if dropped.until is not None:
            await self._wait_until(dropped.until)
        elif not at_once:
            await self._limiter.pause(wait, until_outage_ends=observation in NO_LOGIN)

    def _name_refusal(self, observation: AnyObservation) -> AnyObservation:
        """Return LOGIN_STILL_REFUSED for a login that has been refused for long."""
        cut_off = observation == Reason.LINK_LOST and not self._linked_client.login_accepted
        if observation != Reason.LOGIN_REFUSED and (not cut_off or self._limiter.outage):
            return observation
        lasted = self._stability.record_refusal(loop_time())
        long = lasted >= settings.LOGIN_REFUSED_LONG_SECONDS
        return Reason.LOGIN_STILL_REFUSED if long else observation

    async def _wait_until(self, moment: datetime, until_outage_ends: bool = False) -> None:
        """Wait until a moment plus a random delay, so that organizations spread out."""
        seconds = max(0.0, (moment - timezone.now()).total_seconds()) + random.uniform(0.1, 1.0)
        await self._limiter.pause(seconds, until_outage_ends)
