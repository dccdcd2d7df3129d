"""One pairing: a fresh store, a host process of its own, a deadline, one outcome."""

from __future__ import annotations

import asyncio
import logging

from django.conf import settings

from connections import actions
from connections.lifecycle import Observation, Reason
from connections.models import PairingAttempt
from connections.outages import delays
from connections.stores import StoreDamaged, StoreUnusable
from connections.worker.hosts.handle import HostBroken
from connections.worker.tasks.connect_limiter import Outdated
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.pairing_client import PairingClient, Progress
from connections.worker.tasks.pairing_endings import HELD, NOT_OURS, CodeLost, DialFailed, Failed

logger = logging.getLogger(__name__)

# How long WhatsApp is tried again before a person is told to look at the server.
KEEP_DIALLING_SECONDS = 90.0
MOST_CODES_LOST = 5


class Pairing:
    """One attempt, from the fresh store to a linked phone or a reason why not."""

    def __init__(self, owned: OwnedConnection, attempt: PairingAttempt) -> None:
        self._owned = owned
        self._attempt = attempt
        self._limiter = owned.context.connect_limiter
        self._progress = Progress()

    async def run(self) -> bool:
        """Return whether a phone is linked now. Every ending is written down. Raises Superseded."""
        owned = self._owned
        try:
            async with asyncio.timeout(settings.PAIRING_TIMEOUT_SECONDS):
                await self._keep_dialling()
            return True
        except Failed as failure:
            ending = failure
        except TimeoutError:
            ending = Failed(Reason.PAIRING_TIMED_OUT)
        except OSError as error:
            logger.exception("no fresh store", extra={"organization": owned.id})
            ending = Failed(Reason.STORE_FAILED, error.strerror or "")
        except HostBroken as error:
            ending = Failed(Reason.PAIRING_CRASHED, str(error))
        if self._progress.accepted and await self._adopt(ending):
            return True
        # Nothing that could come back by itself is there.
        seen = Reason.PAIRING_CRASHED if ending.observation in HELD else ending.observation
        await owned.db(actions.end_pairing, owned.fence, seen, ending.detail)
        return False

    async def _adopt(self, ending: Failed) -> bool:
        """Link the phone after all, if it accepted the code before things went wrong."""
        if ending.observation in NOT_OURS:
            return False
        owned = self._owned
        try:
            number = await owned.linked_number(self._attempt.store_name)
        except (StoreDamaged, StoreUnusable):
            logger.exception("a new store cannot be read", extra={"organization": owned.id})
            return False
        if not number:
            return False
        held = ending.observation in HELD
        seen = ending.observation if held else Reason.LINK_LOST
        detail = ending.detail if held else ""
        try:
            await owned.db(
                actions.link, owned.fence, self._attempt, number, seen, detail, ending.until
            )
        except actions.NumberRejected as rejected:
            ending.observation, ending.detail = rejected.observation, rejected.detail
            return False
        return True

    async def _keep_dialling(self) -> None:
        """Try until a phone is linked, or until trying again has no sense. Raises Failed."""
        give_up_at = loop_time() + KEEP_DIALLING_SECONDS
        waits, lost = delays(1.0, 10.0), 0
        while True:
            try:
                return await self._pair_once()
            except DialFailed as failure:
                self._limiter.record_failure()
                wait = next(waits)
                if loop_time() + wait > give_up_at:
                    raise Failed(Reason.PAIRING_UNREACHABLE, str(failure)) from failure
                await self._owned.observe(Observation.DIAL_FAILED, str(failure))
                await asyncio.sleep(wait)
            except CodeLost as broken:
                lost += 1
                crashed = Failed(Reason.PAIRING_CRASHED, str(broken))
                if await self._adopt(crashed):  # The phone was quicker than the break.
                    return
                if crashed.observation != Reason.PAIRING_CRASHED or lost > MOST_CODES_LOST:
                    raise crashed from broken
                await self._owned.db(
                    actions.lose_code, self._owned.fence, self._attempt.pk, str(broken)
                )
                give_up_at, wait = loop_time() + KEEP_DIALLING_SECONDS, 1.0

    async def _pair_once(self) -> None:
        """Connect once and follow the client. Raises DialFailed, CodeLost, Failed, HostBroken."""
        owned, context = self._owned, self._owned.context
        try:
            await self._limiter.acquire(urgent=True)
        except Outdated as error:
            raise Failed(Reason.PAIRING_OUTDATED) from error
        store, template = self._attempt.store_name, context.clients.blank_store()
        database = await owned.change(context.stores.create, store, template)
        host = await context.clients.take_host()
        client = PairingClient(owned, self._attempt, self._progress)
        try:
            link = host.open(database, pairing=True)
            await client.follow(link)
            await link.close()
        finally:
            # The only sure way to end a client that shows a QR code.
            host.kill()
