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
from connections.worker.host import Event, HostBroken, Link

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
KEEP_DIALLING_SECONDS = 60.0
FINISH_SECONDS = 60.0


class Failed(Exception):
    """The pairing is over, and no phone is linked."""

    def __init__(self, observation: Observation, detail: str = "") -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail


class DialFailed(Exception):
    """WhatsApp could not be reached; another try may."""


class Pairing:
    """One attempt, from the fresh store to a linked phone or a reason why not."""

    def __init__(self, session: Session, attempt: PairingAttempt) -> None:
        self._session = session
        self._attempt = attempt
        self._codes = 0
        self._shown_at = 0.0
        self._accepted = False

    async def run(self) -> bool:
        """Whether a phone is linked now. Every ending is written down. Raises Superseded."""
        session = self._session
        try:
            async with asyncio.timeout(settings.PAIRING_TIMEOUT_SECONDS):
                await self._keep_dialling()
            return True
        except Failed as failure:
            ending, detail = failure.observation, failure.detail
        except TimeoutError:
            ending, detail = Observation.PAIRING_TIMED_OUT, ""
        except OSError as error:
            logger.exception("no fresh store", extra={"organization": session.id})
            ending, detail = Observation.STORE_FAILED, error.strerror or ""
        except HostBroken as error:
            ending, detail = Observation.PAIRING_CRASHED, str(error)
        if self._accepted and await self._adopt():
            return True
        await session.observe(ending, detail)
        return False

    async def _adopt(self) -> bool:
        """The phone accepted the code before things went wrong: its credentials are good."""
        number = await self._session.thread(
            auth_sessions.linked_number, self._session.id, self._attempt.store
        )
        if number:
            await self._session.db(
                actions.link, self._session.fence, self._attempt, number, Observation.LINK_LOST
            )
        return bool(number)

    async def _keep_dialling(self) -> None:
        """Try until WhatsApp issues a code, then stay with that connection to its end."""
        give_up_at = asyncio.get_running_loop().time() + KEEP_DIALLING_SECONDS
        wait = 1.0
        while True:
            try:
                return await self._pair_once()
            except DialFailed as failure:
                if asyncio.get_running_loop().time() + wait > give_up_at:
                    raise Failed(Observation.PAIRING_UNREACHABLE) from failure
                await self._session.observe(Observation.DIAL_FAILED)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 10.0)

    async def _pair_once(self) -> None:
        session = self._session
        database = await session.thread(auth_sessions.create, session.id, self._attempt.store)
        host = await session.supervisor.mould.take()
        try:
            link = host.open(database)
            await self._follow(link)
            await link.close()
        finally:
            # The only sure way to end a client that shows a QR code.
            host.kill()

    async def _follow(self, link: Link) -> None:
        """Through the codes to the linked phone. Raises DialFailed, Failed."""
        while True:
            try:
                event = await link.next(self._patience())
            except TimeoutError:
                if not self._codes:
                    raise DialFailed from None
                raise Failed(Observation.PAIRING_TIMED_OUT) from None
            if event["event"] == "connected":
                await self._session.db(
                    actions.link, self._session.fence, self._attempt, event["number"]
                )
                return
            await self._heard(link, event)

    def _patience(self) -> float | None:
        """Seconds until the next event is overdue."""
        if not self._codes:
            return settings.DIAL_TIMEOUT_SECONDS
        return FINISH_SECONDS if self._accepted else None

    async def _heard(self, link: Link, event: Event) -> None:
        session = self._session
        kind = event["event"]
        if kind == "code":
            self._codes += 1
            self._shown_at = asyncio.get_running_loop().time()
            if self._attempt.method == Method.PHONE:
                if self._codes == 1:
                    link.pair_phone(self._attempt.phone_number)
                return
            await session.db(
                actions.show_code,
                session.fence,
                self._attempt.pk,
                event["code"],
                self._codes,
                max(CODE_COUNT, self._codes),
                FIRST_CODE_LASTS if self._codes == 1 else CODE_LASTS,
            )
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
            await session.observe(Observation.CODE_ACCEPTED)
        elif kind == "pairing_ended":
            raise Failed(self._ending(event["outcome"]))
        elif kind in ("ended", "failed", "lost") and not self._codes:
            raise DialFailed
        elif kind in ("ended", "host_gone"):
            raise Failed(Observation.PAIRING_CRASHED)
        elif observation := session.final(event):
            raise Failed(*observation)

    def _ending(self, outcome: str) -> Observation:
        """What whatsmeow means by saying that the codes are over."""
        if outcome == "err-client-outdated":
            return Observation.CLIENT_OUTDATED
        if outcome != "timeout":
            return Observation.PAIRING_REFUSED
        # whatsmeow calls it a timeout, too, when the connection drops under a code.
        shown_for = asyncio.get_running_loop().time() - self._shown_at
        in_time = shown_for < CODE_LASTS.total_seconds() - 1
        return Observation.PAIRING_CRASHED if in_time else Observation.CODES_EXPIRED
