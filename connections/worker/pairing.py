"""One pairing: a fresh store, a host process of its own, a deadline, one outcome."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from connections import actions, auth_sessions
from connections.lifecycle import Observation
from connections.models import Method, PairingAttempt
from connections.worker.client_handle import Event, Link
from connections.worker.connect_limiter import Outdated
from connections.worker.event_mapping import Permanent, Retryable, StoreAway, ending
from connections.worker.host_handle import HostBroken
from connections.worker.pairing_endings import (
    HELD,
    NOT_OURS,
    CodeLost,
    DialFailed,
    Failed,
    not_paired,
)
from connections.worker.rotation import Rotation

if TYPE_CHECKING:
    from connections.worker.connection_task import ConnectionTask

logger = logging.getLogger(__name__)

# How long WhatsApp is tried again before a person is told to look at the server.
KEEP_DIALLING_SECONDS = 90.0
FINISH_SECONDS = 60.0
# How much later than announced a code may be followed by the next one.
OVERDUE_SECONDS = 10.0
# A timer of the library's may be that much early.
TIMER_SECONDS = 1.0
# How long after its verdict the library says more about it, if it does.
WHY_SECONDS = 2.0
MOST_CODES_LOST = 5


class Pairing:
    """One attempt, from the fresh store to a linked phone or a reason why not."""

    def __init__(self, session: ConnectionTask, attempt: PairingAttempt) -> None:
        self._session = session
        self._attempt = attempt
        self._rotation = Rotation()
        self._phone_code = ""
        self._codes_end_at = 0.0  # with the last QR code
        self._step_at = 0.0  # when it came as far as it is
        self._accepted = False
        self._unsupported = False  # a phone that cannot link yet has used the code

    async def run(self) -> bool:
        """Whether a phone is linked now. Every ending is written down. Raises Superseded."""
        session = self._session
        try:
            async with asyncio.timeout(settings.PAIRING_TIMEOUT_SECONDS):
                await self._keep_dialling()
            return True
        except Failed as failure:
            ending = failure
        except TimeoutError:
            ending = Failed(Observation.PAIRING_TIMED_OUT)
        except OSError as error:
            logger.exception("no fresh store", extra={"organization": session.id})
            ending = Failed(Observation.STORE_FAILED, error.strerror or "")
        except HostBroken as error:
            ending = Failed(Observation.PAIRING_CRASHED, str(error))
        if self._accepted and await self._adopt(ending):
            return True
        # Nothing that could come back by itself is there.
        seen = Observation.PAIRING_CRASHED if ending.observation in HELD else ending.observation
        await session.db(actions.end_pairing, session.fence, seen, ending.detail)
        return False

    async def _adopt(self, ending: Failed) -> bool:
        """The phone accepted the code before things went wrong: its credentials are good."""
        if ending.observation in NOT_OURS:
            return False
        session = self._session
        try:
            number = await session.thread(
                auth_sessions.linked_number, session.id, self._attempt.store_name
            )
        except (auth_sessions.Damaged, auth_sessions.Unusable):
            logger.exception("a new store cannot be read", extra={"organization": session.id})
            return False
        if not number:
            return False
        held = ending.observation in HELD
        seen = ending.observation if held else Observation.LINK_LOST
        try:
            await session.db(
                actions.link,
                session.fence,
                self._attempt,
                number,
                seen,
                ending.detail if held else "",
                ending.until,
            )
        except actions.NumberRejected as unwelcome:
            ending.observation, ending.detail = unwelcome.observation, unwelcome.detail
            return False
        return True

    async def _keep_dialling(self) -> None:
        """Try until a phone is linked, or until trying again has no sense. Raises Failed."""
        give_up_at = self._now() + KEEP_DIALLING_SECONDS
        wait, lost = 1.0, 0
        while True:
            try:
                return await self._pair_once()
            except DialFailed as failure:
                self._session.supervisor.connect_limiter.failed()
                if self._now() + wait > give_up_at:
                    raise Failed(Observation.PAIRING_UNREACHABLE, str(failure)) from failure
                await self._session.observe(Observation.DIAL_FAILED, str(failure))
                await asyncio.sleep(wait)
                wait = min(wait * 2, 10.0)
            except CodeLost as broken:
                lost += 1
                crashed = Failed(Observation.PAIRING_CRASHED, str(broken))
                if await self._adopt(crashed):  # The phone was quicker than the break.
                    return
                if crashed.observation != Observation.PAIRING_CRASHED or lost > MOST_CODES_LOST:
                    raise crashed from broken
                await self._session.db(
                    actions.lose_code, self._session.fence, self._attempt.pk, str(broken)
                )
                give_up_at, wait = self._now() + KEEP_DIALLING_SECONDS, 1.0

    async def _pair_once(self) -> None:
        session = self._session
        try:
            await session.supervisor.connect_limiter.turn(urgent=True)
        except Outdated as error:
            raise Failed(Observation.PAIRING_OUTDATED) from error
        blank = session.supervisor.blank.content
        database = await session.change(auth_sessions.create, self._attempt.store_name, blank)
        host = await session.supervisor.fork_server.take()
        self._rotation = Rotation()
        self._phone_code = ""
        self._step_at = self._now()
        try:
            link = host.open(database, pairing=True)
            await self._follow(link)
            await link.close()
        finally:
            # The only sure way to end a client that shows a QR code.
            host.kill()

    async def _follow(self, link: Link) -> None:
        """Through the codes to the linked phone. Raises DialFailed, CodeLost, Failed."""
        while True:
            try:
                event = await link.next(self._patience())
            except TimeoutError:
                if not self._rotation.number:
                    raise DialFailed from None
                if self._accepted:
                    raise Failed(Observation.PAIRING_TIMED_OUT) from None
                raise CodeLost("no further code came") from None
            if event["event"] == "connected":
                return await self._linked(link, event["number"])
            await self._heard(link, event)

    async def _linked(self, link: Link, number: str) -> None:
        """A phone has been linked. Raises Failed when it is not one that is wanted here."""
        session = self._session
        try:
            await session.db(actions.link, session.fence, self._attempt, number)
        except actions.NumberRejected as unwelcome:
            trouble = await link.logout(settings.LOGOUT_TIMEOUT_SECONDS)
            told = "; WhatsApp could not be told: remove the device on the phone" if trouble else ""
            raise Failed(unwelcome.observation, unwelcome.detail + told) from unwelcome

    def _patience(self) -> float:
        """Seconds until the next step is overdue: what else is heard meanwhile is no step."""
        if not self._rotation.number:
            overdue_at = self._step_at + settings.DIAL_TIMEOUT_SECONDS
        elif self._accepted:
            overdue_at = self._step_at + FINISH_SECONDS
        elif self._attempt.method == Method.PHONE:
            overdue_at = self._codes_end_at + OVERDUE_SECONDS
        else:
            overdue_at = self._step_at + self._rotation.seconds + OVERDUE_SECONDS
        return max(0.0, overdue_at - self._now())

    async def _heard(self, link: Link, event: Event) -> None:
        """Raises DialFailed, CodeLost, Failed."""
        kind = event["event"]
        if kind == "codes":
            self._rotation.announce(event["count"])
        elif kind == "code":
            await self._code(link, event["code"])
        elif kind == "phone_code":
            self._phone_code = event["code"]
            await self._show_phone_code()
        elif kind == "phone_code_failed":
            raise Failed(Observation.PAIRING_REFUSED, "WhatsApp issued no code for this number")
        elif kind == "accepted":
            self._accepted = True
            self._step_at = self._now()
            await self._session.db(actions.accept_code, self._session.fence, self._attempt.pk)
        elif kind == "passkey":
            raise Failed(Observation.PAIRING_PASSKEY)
        elif kind == "not_paired":
            raise not_paired(event["error"])
        elif kind == "pairing_ended":
            await self._codes_over(link, event["outcome"])
        elif kind in ("lost", "relink_failed") and self._accepted:
            # The credentials are good: the link is resumed in a session host, and watched there.
            raise Failed(Observation.PAIRING_CRASHED)
        elif kind == "lost" and not self._rotation.number:
            raise DialFailed
        elif ended := ending(event):
            self._broke(ended)

    async def _code(self, link: Link, code: str) -> None:
        """The library shows another code, or the same with another secret."""
        session, rotation = self._session, self._rotation
        was_first = rotation.number == 0
        rotation.show(code)
        self._step_at = self._now()
        ended_at, self._codes_end_at = self._codes_end_at, self._step_at + rotation.seconds_in_all
        session.supervisor.connect_limiter.worked()
        if self._attempt.method == Method.PHONE:
            if was_first:
                link.pair_phone(self._attempt.phone_number)
            elif self._phone_code and abs(self._codes_end_at - ended_at) > TIMER_SECONDS:
                await self._show_phone_code()
            return
        await session.db(
            actions.show_code,
            session.fence,
            self._attempt.pk,
            code,
            rotation.number,
            rotation.count,
            timedelta(seconds=rotation.seconds),
            self._shown_as(Observation.CODE_SHOWN),
        )

    async def _show_phone_code(self) -> None:
        """It is valid for as long as its connection lasts, whichever QR code that shows."""
        session = self._session
        await session.db(
            actions.show_phone_code,
            session.fence,
            self._attempt.pk,
            self._phone_code,
            self._rotation.count,
            timedelta(seconds=max(0.0, self._codes_end_at - self._now())),
            self._shown_as(Observation.PHONE_CODE_SHOWN),
        )

    def _shown_as(self, observation: Observation) -> Observation:
        return Observation.PHONE_UNSUPPORTED if self._unsupported else observation

    async def _codes_over(self, link: Link, outcome: str) -> None:
        """What came of the codes, by whatsmeow's name for it. Raises DialFailed, CodeLost, Failed.

        A phone without multi-device ends nothing: the code stays valid.
        """
        if outcome == "err-scanned-without-multidevice":
            self._unsupported = True
            return await self._session.observe(Observation.PHONE_UNSUPPORTED)
        if outcome == "err-client-outdated":
            self._session.supervisor.connect_limiter.refused_as_outdated()
            raise Failed(Observation.PAIRING_OUTDATED)
        if outcome.startswith("passkey"):
            raise Failed(Observation.PAIRING_PASSKEY)
        if outcome == "error":
            return  # Not always the end: where it is, "not_paired" has told why.
        if outcome == "err-unexpected-state":
            why = await self._why_turned_away(link)
            if self._rotation.number:
                raise Failed(Observation.PAIRING_TURNED_AWAY, why)
            raise DialFailed(why or "it refused to issue a code")
        if outcome != "timeout":
            raise Failed(Observation.PAIRING_REFUSED, f"it said: {outcome}")
        if not self._rotation.number:
            raise DialFailed("it refused to issue a code")
        # whatsmeow calls it a timeout, too, when the connection drops under a code.
        if self._now() < self._codes_end_at - TIMER_SECONDS:
            raise CodeLost("the connection dropped")
        raise Failed(Observation.CODES_EXPIRED)

    async def _why_turned_away(self, link: Link) -> str:
        """What WhatsApp said when it ended the linking, which the library tells a moment later."""
        try:
            async with asyncio.timeout(WHY_SECONDS):
                while (event := await link.next())["event"] != "host_gone":
                    if ended := ending(event):
                        return ended.detail
        except TimeoutError:
            logger.info("no reason was told", extra={"organization": self._session.id})
        return ""

    def _broke(self, ended: Retryable | Permanent) -> None:
        """The client came to an end. Raises DialFailed, CodeLost, Failed."""
        seen = ended.observation
        if isinstance(ended, Retryable):
            if seen == Observation.CLIENT_OUTDATED:
                self._session.supervisor.connect_limiter.refused_as_outdated()
                if not self._accepted:
                    seen = Observation.PAIRING_OUTDATED
            elif seen == Observation.STORE_UNUSABLE and not isinstance(ended, StoreAway):
                raise Failed(Observation.STORE_FAILED) from ended
            elif self._accepted and seen != Observation.TEMPORARILY_BANNED:
                raise Failed(Observation.PAIRING_CRASHED, ended.detail) from ended
            elif self._rotation.number and not self._accepted:
                raise CodeLost(ended.detail) from ended
            elif not self._accepted:
                raise DialFailed(ended.detail) from ended
            raise Failed(seen, ended.detail, ended.until) from ended
        raise Failed(seen, ended.detail) from ended

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
