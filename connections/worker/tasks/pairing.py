"""One pairing: a new store, a dedicated host process, a deadline, one outcome."""

from __future__ import annotations

import asyncio
import logging

from django.conf import settings

from connections import actions
from connections.lifecycle import Observation, Reason
from connections.models import PairingAttempt
from connections.outages import delays
from connections.stores import StoreDamaged, StoreUnusable
from connections.worker.hosts.handle import HostError
from connections.worker.tasks.connect_limiter import ClientOutdated
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.event_mapping import Retryable
from connections.worker.tasks.logout import log_out_refused
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.pairing_client import PairingClient, Progress
from connections.worker.tasks.pairing_failures import (
    NOT_LINKABLE,
    RETRYABLE,
    CodeLost,
    DialFailed,
    PairingFailed,
)
from connections.worker.tasks.proxy_errors import GIVEN_UP_AT_ONCE, PROXY_REASONS

logger = logging.getLogger(__name__)

# So long connects are retried before the pairing fails as unreachable.
GIVE_UP_SECONDS = 90.0
MAX_CODES_LOST = 5


class Pairing:
    """Runs one attempt, from the new store to a linked phone or a failure."""

    def __init__(self, owned: OwnedConnection, attempt: PairingAttempt) -> None:
        self._owned = owned
        self._attempt = attempt
        self._limiter = owned.context.connect_limiter
        self._progress = Progress()

    async def run(self) -> bool:
        """Pair, and record the outcome. Return whether a phone is linked now. Raises Superseded."""
        owned = self._owned
        try:
            async with asyncio.timeout(settings.PAIRING_TIMEOUT_SECONDS):
                await self._pair_with_retries()
            return True
        except PairingFailed as error:
            failure = error
        except TimeoutError:
            failure = PairingFailed(Reason.PAIRING_TIMED_OUT)
        except OSError as error:
            logger.exception("the new store could not be created", extra={"organization": owned.id})
            failure = PairingFailed(Reason.STORE_FAILED, error.strerror or "")
        except HostError as error:
            failure = PairingFailed(Reason.PAIRING_CRASHED, str(error))
        if self._progress.accepted and await self._link_accepted_phone(failure):
            return True
        # Without a link there is nothing to retry by itself.
        observation = (
            Reason.PAIRING_CRASHED if failure.observation in RETRYABLE else failure.observation
        )
        await owned.db(actions.end_pairing, owned.fence, observation, failure.detail)
        return False

    async def _link_accepted_phone(self, failure: PairingFailed) -> bool:
        """Link the phone in spite of a failure, if it had accepted the code."""
        if failure.observation in NOT_LINKABLE:
            return False
        owned = self._owned
        try:
            number = await owned.linked_number(self._attempt.store_name)
        except (StoreDamaged, StoreUnusable):
            logger.exception("the new store cannot be read", extra={"organization": owned.id})
            return False
        if not number:
            return False
        retryable = failure.observation in RETRYABLE
        observation = failure.observation if retryable else Reason.LINK_LOST
        detail = failure.detail if retryable else ""
        try:
            await owned.db(
                actions.link, owned.fence, self._attempt, number, observation, detail, failure.until
            )
        except actions.NumberRejected as rejected:
            # A ban forbids a login, also to log out.
            told = failure.until is None and not await log_out_refused(
                owned, self._attempt.store_name
            )
            failure.observation = rejected.observation
            failure.detail = rejected.detail if told else rejected.detail + actions.STILL_LINKED
            return False
        return True

    async def _pair_with_retries(self) -> None:
        """Retry until a phone is linked or the time is over. Raises PairingFailed."""
        give_up_at = loop_time() + GIVE_UP_SECONDS
        waits, codes_lost = delays(1.0, 10.0), 0
        while True:
            try:
                return await self._pair_once()
            except DialFailed as failure:
                wait = next(waits)
                await self._record_failed_dial(failure, loop_time() + wait > give_up_at)
                await asyncio.sleep(wait)
            except CodeLost as broken:
                codes_lost += 1
                crashed = PairingFailed(Reason.PAIRING_CRASHED, str(broken))
                if await self._link_accepted_phone(
                    crashed
                ):  # The phone was faster than the failure.
                    return
                if crashed.observation != Reason.PAIRING_CRASHED or codes_lost > MAX_CODES_LOST:
                    raise crashed from broken
                await self._owned.db(
                    actions.lose_code, self._owned.fence, self._attempt.pk, str(broken)
                )
                give_up_at, waits = loop_time() + GIVE_UP_SECONDS, delays(1.0, 10.0)

    async def _record_failed_dial(self, failure: DialFailed, last: bool) -> None:
        """Record that a dial failed. Raises PairingFailed after the `last` one."""
        if failure.reason in PROXY_REASONS:
            if last or failure.reason in GIVEN_UP_AT_ONCE:
                raise PairingFailed(Reason.PAIRING_PROXY_FAILED, str(failure)) from failure
            return await self._owned.record_event(Observation.PROXY_DIAL_FAILED, str(failure))
        self._limiter.record_failure()
        answered = failure.reason == Reason.UNAVAILABLE
        if last:
            reason = Reason.PAIRING_UNAVAILABLE if answered else Reason.PAIRING_UNREACHABLE
            raise PairingFailed(reason, str(failure)) from failure
        observation = Observation.DIAL_REFUSED if answered else Observation.DIAL_FAILED
        await self._owned.record_event(observation, str(failure))

    async def _pair_once(self) -> None:
        """Connect once and follow the client.

        Raises DialFailed, CodeLost, PairingFailed, HostError.
        """
        owned, context = self._owned, self._owned.context
        try:
            await self._limiter.acquire(urgent=True)
        except ClientOutdated as error:
            raise PairingFailed(Reason.PAIRING_OUTDATED) from error
        try:
            proxy = await owned.find_proxy()
        except Retryable as unusable:
            raise DialFailed(unusable.detail, unusable.observation) from unusable
        store, template = self._attempt.store_name, context.clients.store_template()
        database = await owned.change_stores(context.stores.create, store, template)
        host = await context.clients.take_host()
        pairing_client = PairingClient(owned, self._attempt, self._progress)
        try:
            spool = context.clients.pairing_spool(owned.id, store)
            client = host.open(database, pairing=True, spool=spool, proxy=proxy)
            await pairing_client.follow(client)
            await client.close()
        finally:
            # A client that shows a QR code cannot be stopped otherwise.
            host.kill()
