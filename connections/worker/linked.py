"""Holding the link of an organization with the saved credentials, for as long as it can be held."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from connections import auth_sessions
from connections.lifecycle import Observation
from connections.models import Connection
from connections.worker.client_handle import Event, Link
from connections.worker.connect_limiter import Outdated
from connections.worker.event_mapping import (
    USELESS,
    Permanent,
    Retryable,
    Unavailable,
    dial_words,
    ending,
)
from connections.worker.host_handle import HostBroken
from connections.worker.relinking import is_refusing
from connections.worker.stability import HELD_SECONDS, Stability

if TYPE_CHECKING:
    from connections.worker.connection_task import ConnectionTask

logger = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 60.0
# The library reconnects a link that has held once by itself, at once; then the limit on connects
# counts.
RELINK_SECONDS = 5.0
# No dial of the library takes longer (a proxy that says nothing: 60 s) before it fails by itself.
LONGEST_DIAL_SECONDS = 60.0
# The library may tell that a connection is gone before it tells of the login on it.
CUT_OFF_SECONDS = 0.5
# WhatsApp has missed a ping for half a minute already when the library tells of it.
SILENCE_SECONDS = 15.0
# whatsmeow deletes a device that was logged out only after it has said so.
FORGET_SECONDS = 1.0
# After so many crashes in a row an organization may be what crashes the hosts.
SUSPICIOUS_CRASHES = 2
# What a login ends with whose connection was dropped.
DROPS = (Observation.LINK_LOST, Observation.NOT_ANSWERING)


class Phase(Enum):
    """How far a client has come; each phase but HELD has a deadline."""

    DIALLING = auto()
    DIALLING_LONG = auto()  # and people have been told
    LOGGING_IN = auto()
    CUT_OFF = auto()  # lost while logging in; whether it was let in may still be told
    PROBATION = auto()  # connected, for less than HELD_SECONDS
    HELD = auto()
    SILENT = auto()  # pings stay unanswered
    RELINKING = auto()  # lost after it had held; the library tries once


class _Moved(Exception):
    """Its host is worn out; another one takes it."""


class Linked:
    """One organization's link, through drops, outages and crashes."""

    def __init__(self, session: ConnectionTask) -> None:
        self._session = session
        self._dialling = session.supervisor.connect_limiter
        self._failures = 0
        self._crashes = 0
        self._begin()

    @property
    def _stability(self) -> Stability:
        return self._session.supervisor.stability[self._session.id]

    def _begin(self) -> None:
        """Nothing is known yet of the client that is opened next."""
        self._phase = Phase.DIALLING
        self._deadline: float | None = None
        self._logged_in_at: float | None = None
        self._was_up = self._has_held = False

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
            except Permanent as final:
                if final.observation in USELESS and self._session.requested:
                    # Someone pressed Reconnect, and the saved credentials are worthless: the
                    # fresh QR code comes at once, not after another press.
                    return final.observation
                await self._session.observe(final.observation, final.detail)
                return None
            except Outdated as held:
                await self._session.observe(Observation.CLIENT_OUTDATED, retry_at=held.until)
                await self._wait_until(held.until, until_over=True)
            except Retryable as dropped:
                if self._dropped_too_soon(dropped.observation):
                    await self._pause(dropped)
                else:
                    await self._back_off(dropped)

    async def _hold(self) -> None:
        """Open a client and follow it to its end. Raises _Moved, Permanent, Outdated, Retryable."""
        session = self._session
        self._begin()
        if self._failures or self._stability.drops:
            await self._look_into_store()
        await self._dialling.turn(urgent=session.requested and not self._failures)
        try:
            alone = self._crashes >= SUSPICIOUS_CRASHES
            session.link = await session.supervisor.open(session.id, session.store_name, alone)
            await self._follow(session.link)
        except HostBroken as error:
            logger.exception("no session host", extra={"organization": session.id})
            raise Retryable(Observation.HOST_CRASHED, str(error)) from error
        finally:
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                await session.close()  # Otherwise whoever cancelled has use for it.

    async def _look_into_store(self) -> None:
        """whatsmeow deletes a device that was refused for good, and may hang before it says so.

        Raises Permanent.
        """
        session = self._session
        try:
            number = await session.thread(
                auth_sessions.linked_number, session.id, session.store_name
            )
            there = bool(number) or await session.thread(
                auth_sessions.exists, session.id, session.store_name
            )
        except auth_sessions.Damaged as error:
            raise Permanent(Observation.CREDENTIALS_DAMAGED) from error
        except auth_sessions.Unusable:
            return  # Opening it tells, and is tried again.
        if not number:
            gone = Observation.FORGOTTEN if there else Observation.CREDENTIALS_MISSING
            raise Permanent(gone)

    # --- An open client -------------------------------------------------------------------------

    def _enter(self, phase: Phase, seconds: float | None) -> None:
        self._phase = phase
        self._deadline = None if seconds is None else self._now() + seconds

    async def _follow(self, link: Link) -> None:
        """Write down what happens to an open client. Raises _Moved, Permanent, Retryable."""
        self._enter(Phase.DIALLING, settings.DIAL_TIMEOUT_SECONDS)
        while True:
            left = None if self._deadline is None else max(0.0, self._deadline - self._now())
            try:
                event = await link.next(left)
            except TimeoutError:
                await self._overdue(link)
            else:
                await self._heard(event)

    async def _overdue(self, link: Link) -> None:
        """The phase has lasted for as long as it may. Raises Retryable."""
        if self._phase == Phase.DIALLING:
            # Its dial goes on, and must not be left alone; but people are told.
            self._enter(Phase.DIALLING_LONG, LONGEST_DIAL_SECONDS)
            self._dialling.failed()
            await self._session.observe(Observation.UNREACHABLE, "it did not answer")
        elif self._phase == Phase.PROBATION:
            self._enter(Phase.HELD, None)
            self._has_held = True
            self._failures = self._crashes = 0
            self._stability.record_held()
            link.allow_relink()
            await self._session.observe(Observation.RESUMED)
        elif self._phase in (Phase.RELINKING, Phase.CUT_OFF):
            raise Retryable(Observation.LINK_LOST)
        elif self._phase == Phase.SILENT:
            raise Retryable(Observation.NOT_ANSWERING)
        else:
            raise Retryable(Observation.UNREACHABLE)

    async def _heard(self, event: Event) -> None:
        """Raises _Moved, Permanent, Retryable."""
        kind = event["event"]
        if kind == "reached" and self._phase != Phase.CUT_OFF:
            self._enter(Phase.LOGGING_IN, settings.DIAL_TIMEOUT_SECONDS)
        elif kind == "authenticated":
            self._logged_in_at = self._now()
            self._has_held = False
            self._stability.record_login()
            if self._phase == Phase.CUT_OFF:
                raise Retryable(Observation.LINK_LOST)
            self._enter(Phase.LOGGING_IN, settings.DIAL_TIMEOUT_SECONDS)
        elif kind in ("connected", "restored"):
            await self._up()
        elif kind == "lost":
            await self._lost()
        elif kind == "relink_failed":
            self._not_relinked(event["error"])
        elif kind == "silent":
            if self._phase != Phase.SILENT:
                self._enter(Phase.SILENT, SILENCE_SECONDS * random.uniform(0.7, 1.0))
            if self._was_up:
                await self._session.observe(Observation.NOT_ANSWERING)
        elif kind == "move":
            raise _Moved
        elif kind == "code":
            # It asks for a phone: there is no device in this store any more.
            raise Permanent(Observation.FORGOTTEN)
        elif ended := ending(event):
            if kind == "logged_out":
                await asyncio.sleep(FORGET_SECONDS)
            if kind == "replaced" and self._replaced_by_ourselves():
                raise Retryable(Observation.LINK_LOST)
            raise ended

    async def _up(self) -> None:
        """The client is connected. It counts as such, unless it is known not to stay so."""
        self._dialling.worked()
        self._session.requested = False
        self._was_up = True
        if self._has_held:
            self._enter(Phase.HELD, None)
        else:
            since = self._now() if self._logged_in_at is None else self._logged_in_at
            self._logged_in_at = since
            self._enter(Phase.PROBATION, max(0.0, since + HELD_SECONDS - self._now()))
        if not self._stability.unstable:
            return await self._session.observe(Observation.RESUMED)
        detail = (
            f"logged in again after {self._stability.drops} drops in a row; counts as connected "
            f"once it has held for {HELD_SECONDS:.0f} s"
        )
        await self._session.observe(Observation.LINK_UNSTABLE, detail)

    async def _lost(self) -> None:
        """The connection is gone. The library brings back one that has held. Raises Retryable."""
        if self._logged_in_at is None:
            self._has_held = False
            return self._enter(Phase.CUT_OFF, CUT_OFF_SECONDS)
        if not self._has_held:
            raise Retryable(Observation.LINK_LOST)
        self._logged_in_at = None
        self._enter(Phase.RELINKING, RELINK_SECONDS * random.uniform(0.7, 1.0))
        await self._session.observe(Observation.LINK_LOST)

    def _not_relinked(self, error: str) -> None:
        """The library could not connect again. Raises Retryable."""
        if self._phase == Phase.RELINKING and not is_refusing(error):
            raise Retryable(Observation.UNREACHABLE, dial_words(error))
        if self._phase == Phase.CUT_OFF:
            return  # The login may still be told of.
        raise Retryable(Observation.LINK_LOST)

    def _replaced_by_ourselves(self) -> bool:
        session = self._session
        return session.supervisor.evict(session.id, session.store_name)

    # --- Between two clients --------------------------------------------------------------------

    def _dropped_too_soon(self, observation: Observation) -> bool:
        """Whether the connection was dropped before its link had held."""
        return observation in DROPS and not self._has_held and self._phase != Phase.RELINKING

    async def _pause(self, dropped: Retryable) -> None:
        """Wait before the next login, as the last one was dropped before it had held."""
        let_in = self._logged_in_at is not None
        stability = self._stability
        seconds = stability.record_drop(let_in)
        observation, detail = dropped.observation, dropped.detail
        if stability.unstable:
            observation = Observation.LINK_UNSTABLE
            detail = (
                f"it was dropped {stability.drops} times in a row, within {HELD_SECONDS:.0f} s "
                "of the login"
            )
        elif not let_in:
            observation = self._named(observation)
        if not let_in:
            self._dialling.failed()
        retry_at = timezone.now() + timedelta(seconds=seconds)
        await self._session.observe(observation, detail, retry_at)
        await self._dialling.pause(seconds)

    async def _back_off(self, dropped: Retryable) -> None:
        """Write down what broke, and wait before it is tried again."""
        observation = self._named(dropped.observation)
        if dropped.observation == Observation.HOST_CRASHED:
            self._crashes += 1
        if isinstance(dropped, Unavailable) or (
            not self._was_up and observation in (Observation.UNREACHABLE, Observation.LINK_LOST)
        ):
            self._dialling.failed()
        if observation == Observation.CLIENT_OUTDATED:
            self._dialling.refused_as_outdated()
            return  # The next turn says until when.
        at_once = self._was_up and self._failures == 0
        wait = min(MAX_BACKOFF_SECONDS, 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)
        self._failures += 1
        retry_at = None if at_once else timezone.now() + timedelta(seconds=wait)
        await self._session.observe(observation, dropped.detail, dropped.until or retry_at)
        if dropped.until is not None:
            await self._wait_until(dropped.until)
        elif not at_once:
            await self._dialling.pause(wait, until_over=observation == Observation.UNREACHABLE)

    def _named(self, observation: Observation) -> Observation:
        """Tell a login that has been refused for long from one that was refused just now."""
        cut_off = observation == Observation.LINK_LOST and self._logged_in_at is None
        if observation != Observation.LOGIN_REFUSED and (not cut_off or self._dialling.outage):
            return observation
        lasted = self._stability.record_refusal(self._now())
        long = lasted >= settings.LOGIN_REFUSED_LONG_SECONDS
        return Observation.LOGIN_STILL_REFUSED if long else observation

    async def _wait_until(self, moment: datetime, until_over: bool = False) -> None:
        """Until then, and a little longer: those that wait for the same moment spread out."""
        seconds = max(0.0, (moment - timezone.now()).total_seconds()) + random.uniform(0.1, 1.0)
        await self._dialling.pause(seconds, until_over)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def banned_until_of(connection_id: int) -> datetime | None:
    return Connection.objects.get(pk=connection_id).banned_until
