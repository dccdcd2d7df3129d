"""One client of a pairing, from its codes to the linked phone."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from connections import actions
from connections.lifecycle import AnyObservation, Observation, Reason
from connections.models import Method, PairingAttempt
from connections.worker.hosts.client import Event, Link
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.event_mapping import Permanent, Retryable, StoreAway, ending
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.pairing_endings import CodeLost, DialFailed, Failed, not_paired
from connections.worker.tasks.rotation import Rotation

logger = logging.getLogger(__name__)

FINISH_SECONDS = 60.0
# How much later than announced a code may be followed by the next one.
OVERDUE_SECONDS = 10.0
# A timer of the library's may be that much early.
TIMER_SECONDS = 1.0
# How long after its verdict the library says more about it, if it does.
WHY_SECONDS = 2.0


@dataclass
class Progress:
    """What has happened to any client of a pairing."""

    accepted: bool = False  # a phone has used the code
    unsupported: bool = False  # a phone that cannot link yet has used it


class PairingClient:
    """Follows one client; all of its methods may raise DialFailed, CodeLost and Failed."""

    def __init__(self, owned: OwnedConnection, attempt: PairingAttempt, progress: Progress) -> None:
        self._owned = owned
        self._attempt = attempt
        self._progress = progress
        self._limiter = owned.context.connect_limiter
        self._rotation = Rotation()
        self._phone_code = ""
        self._codes_end_at = 0.0  # with the last QR code
        self._step_at = loop_time()  # when it came as far as it is

    async def follow(self, link: Link) -> None:
        """Go through the codes to the linked phone."""
        while True:
            try:
                event = await link.next(self._seconds_left())
            except TimeoutError:
                if not self._rotation.number:
                    raise DialFailed from None
                if self._progress.accepted:
                    raise Failed(Reason.PAIRING_TIMED_OUT) from None
                raise CodeLost("no further code came") from None
            if event["event"] == "connected":
                return await self._handle_linked(link, event["number"])
            await self._handle_event(link, event)

    async def _handle_linked(self, link: Link, number: str) -> None:
        """A phone has been linked, which may be one that is not wanted here."""
        owned = self._owned
        try:
            await owned.db(actions.link, owned.fence, self._attempt, number)
        except actions.NumberRejected as rejected:
            trouble = await link.logout(settings.LOGOUT_TIMEOUT_SECONDS)
            also = "; WhatsApp could not be told: remove the device on the phone" if trouble else ""
            raise Failed(rejected.observation, rejected.detail + also) from rejected

    def _seconds_left(self) -> float:
        """Return the seconds until the next step is overdue; not every event is a step."""
        if not self._rotation.number:
            overdue_at = self._step_at + settings.DIAL_TIMEOUT_SECONDS
        elif self._progress.accepted:
            overdue_at = self._step_at + FINISH_SECONDS
        elif self._attempt.method == Method.PHONE:
            overdue_at = self._codes_end_at + OVERDUE_SECONDS
        else:
            overdue_at = self._step_at + self._rotation.seconds + OVERDUE_SECONDS
        return max(0.0, overdue_at - loop_time())

    async def _handle_event(self, link: Link, event: Event) -> None:
        kind = event["event"]
        if kind == "codes":
            self._rotation.announce(event["count"])
        elif kind == "code":
            await self._handle_code(link, event["code"])
        elif kind == "phone_code":
            self._phone_code = event["code"]
            await self._show_phone_code()
        elif kind == "phone_code_failed":
            raise Failed(Reason.PAIRING_REFUSED, "WhatsApp issued no code for this number")
        elif kind == "accepted":
            self._progress.accepted = True
            self._step_at = loop_time()
            await self._owned.db(actions.accept_code, self._owned.fence, self._attempt.pk)
        elif kind == "passkey":
            raise Failed(Reason.PAIRING_PASSKEY)
        elif kind == "not_paired":
            raise not_paired(event["error"])
        elif kind == "pairing_ended":
            await self._handle_codes_over(link, event["outcome"])
        elif kind in ("lost", "relink_failed") and self._progress.accepted:
            # The credentials are good: the link is resumed in a session host, and watched there.
            raise Failed(Reason.PAIRING_CRASHED)
        elif kind == "lost" and not self._rotation.number:
            raise DialFailed
        elif ended := ending(event):
            self._handle_end(ended)

    async def _handle_code(self, link: Link, code: str) -> None:
        """The library shows another code, or the same with another secret."""
        owned, rotation = self._owned, self._rotation
        was_first = rotation.number == 0
        rotation.show(code)
        self._step_at = loop_time()
        ended_at, self._codes_end_at = self._codes_end_at, self._step_at + rotation.seconds_in_all
        self._limiter.record_success()
        if self._attempt.method == Method.PHONE:
            if was_first:
                link.pair_phone(self._attempt.phone_number)
            elif self._phone_code and abs(self._codes_end_at - ended_at) > TIMER_SECONDS:
                await self._show_phone_code()
            return
        await owned.db(
            actions.show_code,
            owned.fence,
            self._attempt.pk,
            code,
            rotation.number,
            rotation.count,
            timedelta(seconds=rotation.seconds),
            self._shown_as(Observation.CODE_SHOWN),
        )

    async def _show_phone_code(self) -> None:
        """It is valid for as long as its connection lasts, whichever QR code that shows."""
        owned = self._owned
        await owned.db(
            actions.show_phone_code,
            owned.fence,
            self._attempt.pk,
            self._phone_code,
            self._rotation.count,
            timedelta(seconds=max(0.0, self._codes_end_at - loop_time())),
            self._shown_as(Observation.PHONE_CODE_SHOWN),
        )

    def _shown_as(self, observation: AnyObservation) -> AnyObservation:
        return Reason.PHONE_UNSUPPORTED if self._progress.unsupported else observation

    async def _handle_codes_over(self, link: Link, outcome: str) -> None:
        """What came of the codes, by whatsmeow's name for it.

        A phone without multi-device ends nothing: the code stays valid.
        """
        if outcome == "err-scanned-without-multidevice":
            self._progress.unsupported = True
            return await self._owned.observe(Reason.PHONE_UNSUPPORTED)
        if outcome == "err-client-outdated":
            self._limiter.record_outdated()
            raise Failed(Reason.PAIRING_OUTDATED)
        if outcome.startswith("passkey"):
            raise Failed(Reason.PAIRING_PASSKEY)
        if outcome == "error":
            return  # Not always the end: where it is, "not_paired" has told why.
        if outcome == "err-unexpected-state":
            why = await self._wait_for_reason(link)
            if self._rotation.number:
                raise Failed(Reason.PAIRING_TURNED_AWAY, why)
            raise DialFailed(why or "it refused to issue a code")
        if outcome != "timeout":
            raise Failed(Reason.PAIRING_REFUSED, f"it said: {outcome}")
        if not self._rotation.number:
            raise DialFailed("it refused to issue a code")
        # whatsmeow calls it a timeout, too, when the connection drops under a code.
        if loop_time() < self._codes_end_at - TIMER_SECONDS:
            raise CodeLost("the connection dropped")
        raise Failed(Reason.CODES_EXPIRED)

    async def _wait_for_reason(self, link: Link) -> str:
        """Return why WhatsApp ended the linking, which the library tells a moment later."""
        try:
            async with asyncio.timeout(WHY_SECONDS):
                while (event := await link.next())["event"] != "host_gone":
                    if ended := ending(event):
                        return ended.detail
        except TimeoutError:
            logger.info("no reason was told", extra={"organization": self._owned.id})
        return ""

    def _handle_end(self, ended: Retryable | Permanent) -> None:
        """The client came to an end."""
        seen = ended.observation
        if isinstance(ended, Permanent):
            raise Failed(seen, ended.detail) from ended
        accepted = self._progress.accepted
        if seen == Reason.CLIENT_OUTDATED:
            self._limiter.record_outdated()
            if not accepted:
                seen = Reason.PAIRING_OUTDATED
        elif seen == Reason.STORE_UNUSABLE and not isinstance(ended, StoreAway):
            raise Failed(Reason.STORE_FAILED) from ended
        elif accepted and seen != Reason.TEMPORARILY_BANNED:
            raise Failed(Reason.PAIRING_CRASHED, ended.detail) from ended
        elif self._rotation.number and not accepted:
            raise CodeLost(ended.detail) from ended
        elif not accepted:
            raise DialFailed(ended.detail) from ended
        raise Failed(seen, ended.detail, ended.until) from ended
