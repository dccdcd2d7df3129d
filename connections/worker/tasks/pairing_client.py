"""Follows one client of a pairing, from its codes to the linked phone."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from connections import actions
from connections.lifecycle import AnyObservation, Observation, Reason
from connections.models import Method, PairingAttempt
from connections.worker.hosts.client import ClientHandle, Event
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.event_mapping import (
    Permanent,
    Retryable,
    StoreDatabaseUnavailable,
    failure_of,
    silent_dial,
)
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.pairing_failures import (
    CodeLost,
    DialFailed,
    PairingFailed,
    pairing_failure,
)
from connections.worker.tasks.proxy_errors import PROXY_REASONS
from connections.worker.tasks.rotation import Rotation

logger = logging.getLogger(__name__)

ACCEPTED_TIMEOUT_SECONDS = 60.0
# How late the next code may come.
CODE_GRACE_SECONDS = 10.0
# The library's timers may be that much early.
TIMER_TOLERANCE_SECONDS = 1.0
# So long after the outcome the library may report its reason.
REASON_TIMEOUT_SECONDS = 2.0
NO_CODE_ISSUED = "it refused to issue a code"


@dataclass
class Progress:
    """The progress of a pairing, over all its clients."""

    accepted: bool = False  # a phone has accepted the code
    unsupported: bool = False  # a phone without multi-device has scanned it


class PairingClient:
    """Follows one client; all its methods may raise DialFailed, CodeLost and PairingFailed."""

    def __init__(self, owned: OwnedConnection, attempt: PairingAttempt, progress: Progress) -> None:
        self._owned = owned
        self._attempt = attempt
        self._progress = progress
        self._limiter = owned.context.connect_limiter
        self._rotation = Rotation()
        self._phone_code = ""
        self._codes_end_at = 0.0  # when the last QR code expires
        self._last_step_at = loop_time()  # when the last step happened

    async def follow(self, client: ClientHandle) -> None:
        """Follow the client until a phone is linked."""
        while True:
            try:
                event = await client.next(self._seconds_left())
            except TimeoutError:
                if not self._rotation.number:
                    silent = silent_dial(self._owned.proxied)
                    detail = silent.detail if self._owned.proxied else ""
                    raise DialFailed(detail, silent.observation) from None
                if self._progress.accepted:
                    raise PairingFailed(Reason.PAIRING_TIMED_OUT) from None
                raise CodeLost("no further code came") from None
            if event["event"] == "connected":
                return await self._handle_linked(client, event["number"])
            await self._handle_event(client, event)

    async def _handle_linked(self, client: ClientHandle, number: str) -> None:
        """Link the phone, or log it out if its number is not allowed here."""
        owned = self._owned
        try:
            await owned.db(actions.link, owned.fence, self._attempt, number)
        except actions.NumberRejected as rejected:
            problem = await client.logout(settings.LOGOUT_TIMEOUT_SECONDS)
            also = actions.STILL_LINKED if problem else ""
            raise PairingFailed(rejected.observation, rejected.detail + also) from rejected

    def _seconds_left(self) -> float:
        """Return the seconds until the next step is overdue; not every event is a step."""
        if not self._rotation.number:
            overdue_at = self._last_step_at + settings.DIAL_TIMEOUT_SECONDS
        elif self._progress.accepted:
            overdue_at = self._last_step_at + ACCEPTED_TIMEOUT_SECONDS
        elif self._attempt.method == Method.PHONE:
            overdue_at = self._codes_end_at + CODE_GRACE_SECONDS
        else:
            overdue_at = self._last_step_at + self._rotation.seconds + CODE_GRACE_SECONDS
        return max(0.0, overdue_at - loop_time())

    async def _handle_event(self, client: ClientHandle, event: Event) -> None:
        kind = event["event"]
        if kind == "codes":
            self._rotation.announce(event["count"])
        elif kind == "code":
            await self._handle_code(client, event["code"])
        elif kind == "phone_code":
            self._phone_code = event["code"]
            await self._show_phone_code()
        elif kind == "phone_code_failed":
            raise PairingFailed(Reason.PAIRING_REFUSED, "WhatsApp issued no code for this number")
        elif kind == "accepted":
            self._progress.accepted = True
            self._last_step_at = loop_time()
            await self._owned.db(actions.accept_code, self._owned.fence, self._attempt.pk)
        elif kind == "passkey":
            raise PairingFailed(Reason.PAIRING_PASSKEY)
        elif kind == "not_paired":
            raise pairing_failure(event["error"])
        elif kind == "pairing_ended":
            await self._handle_outcome(client, event["outcome"])
        elif kind in ("lost", "relink_failed") and self._progress.accepted:
            # The credentials are valid: the link is resumed in a pooled host.
            raise PairingFailed(Reason.PAIRING_CRASHED)
        elif kind == "lost" and not self._rotation.number:
            raise DialFailed
        elif ended := failure_of(event, self._owned.proxied):
            self._raise_failure(ended)

    async def _handle_code(self, client: ClientHandle, code: str) -> None:
        """Show the next code, or the same one with a new secret."""
        owned, rotation = self._owned, self._rotation
        was_first = rotation.number == 0
        rotation.show(code)
        self._last_step_at = loop_time()
        ended_at, self._codes_end_at = (
            self._codes_end_at,
            self._last_step_at + rotation.seconds_in_all,
        )
        self._limiter.record_success()
        if self._attempt.method == Method.PHONE:
            if was_first:
                client.pair_phone(self._attempt.phone_number)
            elif self._phone_code and abs(self._codes_end_at - ended_at) > TIMER_TOLERANCE_SECONDS:
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
            self._code_observation(Observation.CODE_SHOWN),
        )

    async def _show_phone_code(self) -> None:
        """Show the phone code, which is valid as long as its connection lasts."""
        owned = self._owned
        await owned.db(
            actions.show_phone_code,
            owned.fence,
            self._attempt.pk,
            self._phone_code,
            self._rotation.count,
            timedelta(seconds=max(0.0, self._codes_end_at - loop_time())),
            self._code_observation(Observation.PHONE_CODE_SHOWN),
        )

    def _code_observation(self, observation: AnyObservation) -> AnyObservation:
        return Reason.PHONE_UNSUPPORTED if self._progress.unsupported else observation

    async def _handle_outcome(self, client: ClientHandle, outcome: str) -> None:
        """Handle the outcome of the codes, by whatsmeow's name.

        A scan by a phone without multi-device is no end: the code stays valid.
        """
        if outcome == "err-scanned-without-multidevice":
            self._progress.unsupported = True
            return await self._owned.record_event(Reason.PHONE_UNSUPPORTED)
        if outcome == "err-client-outdated":
            self._limiter.record_outdated()
            raise PairingFailed(Reason.PAIRING_OUTDATED)
        if outcome.startswith("passkey"):
            raise PairingFailed(Reason.PAIRING_PASSKEY)
        if outcome == "error":
            return  # It need not be the end; if it is, "not_paired" has the reason.
        if outcome == "err-unexpected-state":
            why = await self._wait_for_reason(client)
            if self._rotation.number:
                raise PairingFailed(Reason.PAIRING_TURNED_AWAY, why)
            raise DialFailed(why or NO_CODE_ISSUED, Reason.UNAVAILABLE)
        if outcome != "timeout":
            raise PairingFailed(Reason.PAIRING_REFUSED, f"it said: {outcome}")
        if not self._rotation.number:
            raise DialFailed(NO_CODE_ISSUED, Reason.UNAVAILABLE)
        # whatsmeow also reports a timeout when the connection drops while a code is shown.
        if loop_time() < self._codes_end_at - TIMER_TOLERANCE_SECONDS:
            raise CodeLost("the connection dropped")
        raise PairingFailed(Reason.CODES_EXPIRED)

    async def _wait_for_reason(self, client: ClientHandle) -> str:
        """Return why WhatsApp ended the pairing, which the library reports a moment later."""
        try:
            async with asyncio.timeout(REASON_TIMEOUT_SECONDS):
                while (event := await client.next())["event"] != "host_gone":
                    if ended := failure_of(event):
                        return ended.detail
        except TimeoutError:
            logger.info(
                "WhatsApp gave no reason for the end of a pairing",
                extra={"organization": self._owned.id},
            )
        return ""

    def _raise_failure(self, ended: Retryable | Permanent) -> None:
        """Raise the failure of an ended client."""
        observation = ended.observation
        if isinstance(ended, Permanent):
            raise PairingFailed(observation, ended.detail) from ended
        accepted = self._progress.accepted
        if observation == Reason.CLIENT_OUTDATED:
            self._limiter.record_outdated()
            if not accepted:
                observation = Reason.PAIRING_OUTDATED
        elif observation == Reason.STORE_UNUSABLE and not isinstance(
            ended, StoreDatabaseUnavailable
        ):
            raise PairingFailed(Reason.STORE_FAILED) from ended
        elif accepted and observation != Reason.TEMPORARILY_BANNED:
            raise PairingFailed(Reason.PAIRING_CRASHED, ended.detail) from ended
        elif self._rotation.number and not accepted:
            raise CodeLost(ended.detail) from ended
        elif not accepted:
            raise DialFailed(ended.detail, _reason_of_dial(observation)) from ended
        raise PairingFailed(observation, ended.detail, ended.until) from ended


def _reason_of_dial(observation: AnyObservation) -> AnyObservation:
    """Return the reason of a client that ended before it had a code."""
    if observation == Reason.LOGIN_REFUSED:
        return Reason.UNAVAILABLE  # It answered, and there is no login yet that it could refuse.
    answered = observation in PROXY_REASONS or observation == Reason.UNAVAILABLE
    return observation if answered else Reason.UNREACHABLE
