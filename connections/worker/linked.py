"""Holding the link of an organization with the saved credentials, for as long as it can be held."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from connections import auth_sessions
from connections.lifecycle import Observation
from connections.models import Connection
from connections.worker.dialling import Outdated
from connections.worker.endings import USELESS, Dropped, Final, ending
from connections.worker.host import HostBroken
from connections.worker.link import Link

if TYPE_CHECKING:
    from connections.worker.session import Session

logger = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 60.0
# A link that held for so long has not failed when it drops; a shorter one waits before it is back.
STABLE_SECONDS = 30.0
# whatsmeow reconnects by itself, but all at the same moments, without a limit, and ever later.
# Its first try is welcome; then the fleet's own turns count.
RELINK_SECONDS = 5.0
# No dial of the library takes longer (a proxy that says nothing: 60 s) before it fails by itself.
LONGEST_DIAL_SECONDS = 60.0
# WhatsApp has missed a ping for half a minute already when the library tells of it.
SILENCE_SECONDS = 15.0
# whatsmeow deletes a device that was logged out only after it has said so.
FORGET_SECONDS = 1.0
# After so many crashes in a row an organization may be what crashes the hosts.
SUSPICIOUS_CRASHES = 2


class _Moved(Exception):
    """Its host is worn out; another one takes it."""


class Linked:
    """One organization's link, through drops, outages and crashes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialling = session.supervisor.dialling
        self._failures = 0
        self._crashes = 0
        self._up_since: float | None = None

    async def run(self) -> Observation | None:
        """Returns why a fresh pairing should follow, or None when only a person can help."""
        banned_until = await self._session.db(banned_until_of, self._session.id)
        if banned_until is not None:
            await self._wait_until(banned_until)
        while True:
            try:
                await self._hold()
            except _Moved:
                continue
            except Final as final:
                if final.observation in USELESS and self._session.requested:
                    # Someone pressed Reconnect, and the saved credentials are worthless: the
                    # fresh QR code comes at once, not after another press.
                    return final.observation
                await self._session.observe(final.observation, final.detail)
                return None
            except Outdated as held:
                await self._session.observe(Observation.CLIENT_OUTDATED, retry_at=held.until)
                await self._wait_until(held.until, until_over=True)
            except Dropped as dropped:
                await self._back_off(dropped)

    async def _hold(self) -> None:
        """Open a client and follow it to its end. Raises _Moved, Final, Outdated, Dropped."""
        session = self._session
        self._up_since = None
        if self._failures:
            await self._look_into_store()
        await self._dialling.turn(urgent=session.requested and not self._failures)
        try:
            alone = self._crashes >= SUSPICIOUS_CRASHES
            session.link = await session.supervisor.open(session.id, session.store, alone)
            await self._follow(session.link)
        except HostBroken as error:
            logger.exception("no session host", extra={"organization": session.id})
            raise Dropped(Observation.HOST_CRASHED, str(error)) from error
        finally:
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                await session.close()  # Otherwise whoever cancelled has use for it.

    async def _look_into_store(self) -> None:
        """whatsmeow deletes a device that was refused for good, and may hang before it says so.

        Raises Final.
        """
        session = self._session
        try:
            number = await session.thread(auth_sessions.linked_number, session.id, session.store)
            there = bool(number) or await session.thread(
                auth_sessions.exists, session.id, session.store
            )
        except auth_sessions.Damaged as error:
            raise Final(Observation.CREDENTIALS_DAMAGED) from error
        except auth_sessions.Unusable:
            return  # Opening it tells, and is tried again.
        if not number:
            gone = Observation.FORGOTTEN if there else Observation.CREDENTIALS_MISSING
            raise Final(gone)

    async def _follow(self, link: Link) -> None:
        """Write down what happens to an open client. Raises _Moved, Final, Dropped."""
        patience: float | None = settings.DIAL_TIMEOUT_SECONDS
        why = Observation.UNREACHABLE
        reached = told = False
        while True:
            try:
                event = await link.next(patience)
            except TimeoutError:
                if reached or told:
                    raise Dropped(why) from None
                # Its dial goes on, and must not be left alone; but people are told.
                told, patience = True, LONGEST_DIAL_SECONDS
                self._dialling.failed()
                await self._session.observe(why, "it did not answer")
                continue
            kind = event["event"]
            if kind == "reached":
                reached = True
                patience = settings.DIAL_TIMEOUT_SECONDS
            elif kind in ("connected", "restored"):
                patience = None
                await self._up()
            elif kind in ("lost", "silent"):
                lost = kind == "lost"
                why = Observation.LINK_LOST if lost else Observation.NOT_ANSWERING
                if self._up_since is not None:
                    await self._session.observe(why)
                if lost or patience is None:
                    patience = RELINK_SECONDS if lost else SILENCE_SECONDS
                    patience *= random.uniform(0.7, 1.0)
            elif kind == "move":
                raise _Moved
            elif kind == "code":
                # It asks for a phone: there is no device in this store any more.
                raise Final(Observation.FORGOTTEN)
            elif ended := ending(event):
                if kind == "logged_out":
                    await asyncio.sleep(FORGET_SECONDS)
                if kind == "replaced" and self._replaced_by_ourselves():
                    raise Dropped(Observation.LINK_LOST)
                raise ended

    def _replaced_by_ourselves(self) -> bool:
        session = self._session
        return session.supervisor.evict(session.id, session.store)

    async def _up(self) -> None:
        self._dialling.worked()
        self._session.requested = False
        if self._up_since is None:
            self._up_since = self._now()
        await self._session.observe(Observation.RESUMED)

    async def _back_off(self, dropped: Dropped) -> None:
        """Write down what broke, and wait before it is tried again."""
        observation = dropped.observation
        if self._up_since is not None:
            held_for = self._now() - self._up_since
            if held_for >= STABLE_SECONDS:
                self._failures = self._crashes = 0
        crashed = observation == Observation.HOST_CRASHED
        self._crashes = self._crashes + 1 if crashed else self._crashes
        if self._up_since is None and observation in (
            Observation.UNREACHABLE,
            Observation.LINK_LOST,
        ):
            self._dialling.failed()
        if observation == Observation.CLIENT_OUTDATED:
            self._dialling.refused_as_outdated()
            return  # The next turn says until when.
        at_once = self._up_since is not None and self._failures == 0
        wait = min(MAX_BACKOFF_SECONDS, 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)
        self._failures += 1
        retry_at = None if at_once else timezone.now() + timedelta(seconds=wait)
        await self._session.observe(observation, dropped.detail, dropped.until or retry_at)
        if dropped.until is not None:
            await self._wait_until(dropped.until)
        elif not at_once:
            await self._dialling.pause(wait, until_over=observation == Observation.UNREACHABLE)

    async def _wait_until(self, moment: datetime, until_over: bool = False) -> None:
        """Until then, and a little longer: those that wait for the same moment spread out."""
        seconds = max(0.0, (moment - timezone.now()).total_seconds()) + random.uniform(0.1, 1.0)
        await self._dialling.pause(seconds, until_over)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def banned_until_of(connection_id: int) -> datetime | None:
    return Connection.objects.get(pk=connection_id).banned_until
