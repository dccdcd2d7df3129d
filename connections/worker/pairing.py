"""One pairing: a fresh store, a host process of its own, a deadline, one outcome."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from connections import actions, auth_sessions
from connections.lifecycle import Observation
from connections.models import Method, PairingAttempt
from connections.worker.dialling import Outdated
from connections.worker.endings import USELESS, Dropped, Final, StoreAway, ending
from connections.worker.host import HostBroken
from connections.worker.link import Event, Link

if TYPE_CHECKING:
    from connections.worker.session import Session

logger = logging.getLogger(__name__)

# WhatsApp gives six codes; the first is shown for a minute, the others for 20 s each.
CODE_COUNT = 6
FIRST_CODE_LASTS = timedelta(seconds=60)
CODE_LASTS = timedelta(seconds=20)
# A code for the phone lives as long as the QR codes of its connection.
PHONE_CODE_LASTS = timedelta(seconds=160)
# How long WhatsApp is tried again before a person is told to look at the server.
KEEP_DIALLING_SECONDS = 90.0
FINISH_SECONDS = 60.0
# How much later than announced a code may be followed by the next one.
OVERDUE_SECONDS = 10.0
MOST_CODES_LOST = 5
# After these, what lies in the store is nobody's link.
HELD = frozenset({Observation.TEMPORARILY_BANNED, Observation.CLIENT_OUTDATED})
NOT_OURS = USELESS | {Observation.WRONG_NUMBER, Observation.NUMBER_IN_USE}


class Failed(Exception):
    """The pairing is over, and no phone is linked."""

    def __init__(
        self, observation: Observation, detail: str = "", until: datetime | None = None
    ) -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail
        self.until = until


class DialFailed(Exception):
    """WhatsApp could not be reached; another try may. Its text says more, if more is known."""


class CodeLost(Exception):
    """The connection broke under a code, which is void now; another try gives another code."""


class Pairing:
    """One attempt, from the fresh store to a linked phone or a reason why not."""

    def __init__(self, session: Session, attempt: PairingAttempt) -> None:
        self._session = session
        self._attempt = attempt
        self._codes = 0
        self._shown_at = 0.0
        self._step_at = 0.0  # when it came as far as it is
        self._accepted = False

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
        await session.observe(seen, ending.detail)
        return False

    async def _adopt(self, ending: Failed) -> bool:
        """The phone accepted the code before things went wrong: its credentials are good."""
        if ending.observation in NOT_OURS:
            return False
        session = self._session
        try:
            number = await session.thread(
                auth_sessions.linked_number, session.id, self._attempt.store
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
        except actions.Unwelcome as unwelcome:
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
                self._session.supervisor.dialling.failed()
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
            await session.supervisor.dialling.turn(urgent=True)
        except Outdated as error:
            raise Failed(Observation.PAIRING_OUTDATED) from error
        blank = session.supervisor.blank.content
        database = await session.change(auth_sessions.create, self._attempt.store, blank)
        host = await session.supervisor.mould.take()
        self._codes = 0
        self._step_at = self._now()
        try:
            link = host.open(database)
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
                if not self._codes:
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
        except actions.Unwelcome as unwelcome:
            trouble = await link.logout(settings.LOGOUT_TIMEOUT_SECONDS)
            told = "; WhatsApp could not be told: remove the device on the phone" if trouble else ""
            raise Failed(unwelcome.observation, unwelcome.detail + told) from unwelcome

    def _patience(self) -> float:
        """Seconds until the next step is overdue: what else is heard meanwhile is no step."""
        if not self._codes:
            lasts = float(settings.DIAL_TIMEOUT_SECONDS)
        elif self._accepted:
            lasts = FINISH_SECONDS
        else:
            lasts = self._lasts().total_seconds() + OVERDUE_SECONDS
        return max(0.0, self._step_at + lasts - self._now())

    def _lasts(self) -> timedelta:
        return FIRST_CODE_LASTS if self._codes == 1 else CODE_LASTS

    async def _heard(self, link: Link, event: Event) -> None:
        session = self._session
        kind = event["event"]
        if kind == "code":
            await self._code(link, event["code"])
        elif kind == "phone_code":
            await session.db(
                actions.show_phone_code,
                session.fence,
                self._attempt.pk,
                event["code"],
                PHONE_CODE_LASTS,
            )
        elif kind == "phone_code_failed":
            raise Failed(Observation.PAIRING_REFUSED, "WhatsApp issued no code for this number")
        elif kind == "accepted":
            self._accepted = True
            self._step_at = self._now()
            await session.observe(Observation.CODE_ACCEPTED)
        elif kind == "pairing_ended":
            self._codes_over(event["outcome"])
        elif kind == "lost" and not self._codes:
            raise DialFailed
        elif ended := ending(event):
            self._broke(ended)

    async def _code(self, link: Link, code: str) -> None:
        """WhatsApp issued another code."""
        session = self._session
        self._codes += 1
        self._shown_at = self._step_at = self._now()
        session.supervisor.dialling.worked()
        if self._attempt.method == Method.PHONE:
            if self._codes == 1:
                link.pair_phone(self._attempt.phone_number)
            return
        await session.db(
            actions.show_code,
            session.fence,
            self._attempt.pk,
            code,
            self._codes,
            max(CODE_COUNT, self._codes),
            self._lasts(),
        )

    def _codes_over(self, outcome: str) -> None:
        """What whatsmeow means by saying that the codes are over. Raises CodeLost, Failed."""
        if outcome == "err-client-outdated":
            self._session.supervisor.dialling.refused_as_outdated()
            raise Failed(Observation.PAIRING_OUTDATED)
        if not self._codes:
            raise DialFailed("it refused to issue a code")
        if outcome != "timeout":
            raise Failed(Observation.PAIRING_REFUSED)
        # whatsmeow calls it a timeout, too, when the connection drops under a code.
        shown_for = self._now() - self._shown_at
        if shown_for < CODE_LASTS.total_seconds() - 1:
            raise CodeLost("the connection dropped")
        raise Failed(Observation.CODES_EXPIRED)

    def _broke(self, ended: Dropped | Final) -> None:
        """The client came to an end. Raises DialFailed, CodeLost, Failed."""
        seen = ended.observation
        if isinstance(ended, Dropped):
            if seen == Observation.CLIENT_OUTDATED:
                self._session.supervisor.dialling.refused_as_outdated()
                if not self._accepted:
                    seen = Observation.PAIRING_OUTDATED
            elif seen == Observation.STORE_UNUSABLE and not isinstance(ended, StoreAway):
                raise Failed(Observation.STORE_FAILED) from ended
            elif self._accepted and seen != Observation.TEMPORARILY_BANNED:
                raise Failed(Observation.PAIRING_CRASHED, ended.detail) from ended
            elif self._codes and not self._accepted:
                raise CodeLost(ended.detail) from ended
            elif not self._accepted:
                raise DialFailed(ended.detail) from ended
            raise Failed(seen, ended.detail, ended.until) from ended
        raise Failed(seen, ended.detail) from ended

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
