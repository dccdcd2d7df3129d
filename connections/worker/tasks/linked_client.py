"""Follows one client that resumes a saved login, from its start to its end."""

from __future__ import annotations

import asyncio
import random
from enum import Enum, auto

from django.conf import settings

from connections.lifecycle import Reason
from connections.worker.child.relinking import is_relink_refusal
from connections.worker.hosts.client import ClientHandle, Event
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.event_mapping import (
    Permanent,
    Retryable,
    dial_failure,
    failure_of,
    silent_dial,
)
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.stability import STABLE_SECONDS

# The library itself reconnects a stable link once; further connects go through the limiter.
RELINK_TIMEOUT_SECONDS = 5.0
# The library's dial fails by itself after this time (with a silent proxy).
MAX_DIAL_SECONDS = 60.0
# The library may report a lost connection before it reports the login on it.
CUT_OFF_GRACE_SECONDS = 0.5
# The library reports "silent" half a minute after the first unanswered ping.
SILENCE_TIMEOUT_SECONDS = 15.0
# whatsmeow deletes a logged out device only after it has reported the logout.
DEVICE_DELETION_SECONDS = 1.0


class Phase(Enum):
    """The phases of a client; each one but STABLE has a deadline."""

    DIALLING = auto()
    DIALLING_LONG = auto()  # and UNREACHABLE has been recorded
    LOGGING_IN = auto()
    CUT_OFF = auto()  # lost while logging in; the login may still be reported
    PROBATION = auto()  # connected for less than STABLE_SECONDS
    STABLE = auto()
    SILENT = auto()  # pings stay unanswered
    RELINKING = auto()  # lost after it was stable; the library reconnects once


class HostRecycled(Exception):
    """Its host is recycled; the client must move to another one."""


class LinkedClient:
    """Follows one client and records its state."""

    def __init__(self, owned: OwnedConnection) -> None:
        self._owned = owned
        self._stability = owned.context.stability[owned.id]
        self._limiter = owned.context.connect_limiter
        self._phase = Phase.DIALLING
        self._deadline: float | None = None
        self._logged_in_at: float | None = None
        self._stable = False
        self.was_connected = False
        self.was_stable = False  # at any time

    @property
    def login_accepted(self) -> bool:
        """Return whether WhatsApp has accepted the login since the last loss of the connection."""
        return self._logged_in_at is not None

    @property
    def ended_before_stable(self) -> bool:
        """Return whether the link ended before it was stable."""
        return not self._stable and self._phase != Phase.RELINKING

    async def follow(self, client: ClientHandle) -> None:
        """Follow an open client to its end. Raises HostRecycled, Permanent, Retryable."""
        self._enter_phase(Phase.DIALLING, settings.DIAL_TIMEOUT_SECONDS)
        while True:
            left = None if self._deadline is None else max(0.0, self._deadline - loop_time())
            try:
                event = await client.next(left)
            except TimeoutError:
                await self._handle_deadline(client)
            else:
                await self._handle_event(event)

    def _enter_phase(self, phase: Phase, seconds: float | None) -> None:
        self._phase = phase
        self._deadline = None if seconds is None else loop_time() + seconds

    async def _handle_deadline(self, client: ClientHandle) -> None:
        """Handle the deadline of the current phase. Raises Retryable."""
        if self._phase == Phase.DIALLING:
            # The dial continues; keep following it, but record that it takes long.
            self._enter_phase(Phase.DIALLING_LONG, MAX_DIAL_SECONDS)
            silent = silent_dial(self._owned.proxied)
            if not self._owned.proxied:
                self._limiter.record_failure()
            await self._owned.record_event(silent.observation, silent.detail)
        elif self._phase == Phase.PROBATION:
            self._enter_phase(Phase.STABLE, None)
            self._stable = self.was_stable = True
            self._stability.record_stable()
            client.allow_relink()
            await self._owned.record_event(Reason.RESUMED)
        elif self._phase in (Phase.RELINKING, Phase.CUT_OFF):
            raise Retryable(Reason.LINK_LOST)
        elif self._phase == Phase.SILENT:
            raise Retryable(Reason.NOT_ANSWERING)
        elif self._phase == Phase.DIALLING_LONG and self._owned.proxied:
            raise silent_dial(True)
        else:
            raise Retryable(Reason.UNREACHABLE)

    async def _handle_event(self, event: Event) -> None:
        """Handle one event. Raises HostRecycled, Permanent, Retryable."""
        kind = event["event"]
        if kind == "reached" and self._phase != Phase.CUT_OFF:
            self._enter_phase(Phase.LOGGING_IN, settings.DIAL_TIMEOUT_SECONDS)
        elif kind == "authenticated":
            self._handle_login()
        elif kind in ("connected", "restored"):
            await self._handle_connected()
        elif kind == "lost":
            await self._handle_lost()
        elif kind == "relink_failed":
            self._handle_relink_failed(event["error"])
        elif kind == "silent":
            if self._phase != Phase.SILENT:
                self._enter_phase(Phase.SILENT, SILENCE_TIMEOUT_SECONDS * random.uniform(0.7, 1.0))
            if self.was_connected:
                await self._owned.record_event(Reason.NOT_ANSWERING)
        elif kind == "move":
            raise HostRecycled
        elif kind == "code":
            # It waits for a phone: the store has no device any more.
            raise Permanent(Reason.FORGOTTEN)
        elif ended := failure_of(event, self._owned.proxied):
            if kind == "logged_out":
                await asyncio.sleep(DEVICE_DELETION_SECONDS)
            if kind == "replaced" and self._evict_own_clients():
                raise Retryable(Reason.LINK_LOST)
            raise ended

    def _handle_login(self) -> None:
        """Handle an accepted login. Raises Retryable when its connection is lost already."""
        self._logged_in_at = loop_time()
        self._stable = False
        self._stability.record_login()
        if self._phase == Phase.CUT_OFF:
            raise Retryable(Reason.LINK_LOST)
        self._enter_phase(Phase.LOGGING_IN, settings.DIAL_TIMEOUT_SECONDS)

    async def _handle_connected(self) -> None:
        """Handle a connected client. An unstable link does not count as connected yet."""
        self._limiter.record_success()
        self._owned.requested = False
        self.was_connected = True
        if self._stable:
            self._enter_phase(Phase.STABLE, None)
        else:
            since = loop_time() if self._logged_in_at is None else self._logged_in_at
            self._logged_in_at = since
            self._enter_phase(Phase.PROBATION, max(0.0, since + STABLE_SECONDS - loop_time()))
        if not self._stability.unstable:
            return await self._owned.record_event(Reason.RESUMED)
        detail = (
            f"logged in again after {self._stability.drops} drops in a row; counts as connected "
            f"once it has held for {STABLE_SECONDS:.0f} s"
        )
        await self._owned.record_event(Reason.LINK_UNSTABLE, detail)

    async def _handle_lost(self) -> None:
        """Handle a lost connection. The library reconnects a stable one. Raises Retryable."""
        if self._logged_in_at is None:
            self._stable = False
            return self._enter_phase(Phase.CUT_OFF, CUT_OFF_GRACE_SECONDS)
        if not self._stable:
            raise Retryable(Reason.LINK_LOST)
        self._logged_in_at = None
        self._enter_phase(Phase.RELINKING, RELINK_TIMEOUT_SECONDS * random.uniform(0.7, 1.0))
        await self._owned.record_event(Reason.LINK_LOST)

    def _handle_relink_failed(self, error: str) -> None:
        """Handle a failed reconnect of the library. Raises Retryable."""
        if self._phase == Phase.RELINKING and not is_relink_refusal(error):
            raise dial_failure(error, self._owned.proxied)
        if self._phase == Phase.CUT_OFF:
            return  # The login may still be reported.
        raise Retryable(Reason.LINK_LOST)

    def _evict_own_clients(self) -> bool:
        """Kill clients of this worker that replaced this one. Return whether there were any."""
        owned = self._owned
        return owned.context.clients.evict(owned.id, owned.store_name)
