"""One client that resumes a saved login, from its start to its end."""

from __future__ import annotations

import asyncio
import random
from enum import Enum, auto

from django.conf import settings

from connections.lifecycle import Reason
from connections.worker.child.relinking import is_refusing
from connections.worker.hosts.client import Event, Link
from connections.worker.tasks.context import loop_time
from connections.worker.tasks.event_mapping import Permanent, Retryable, dial_words, ending
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.stability import HELD_SECONDS

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


class HostWornOut(Exception):
    """Its host is worn out; another one takes the client."""


class LinkedClient:
    """Follows one client and writes down what happens to it."""

    def __init__(self, owned: OwnedConnection) -> None:
        self._owned = owned
        self._stability = owned.context.stability[owned.id]
        self._limiter = owned.context.connect_limiter
        self._phase = Phase.DIALLING
        self._deadline: float | None = None
        self._logged_in_at: float | None = None
        self._holds = False
        self.was_up = False
        self.has_held = False  # ever

    @property
    def let_in(self) -> bool:
        """Whether WhatsApp has accepted the login since the connection was last lost."""
        return self._logged_in_at is not None

    @property
    def ended_too_soon(self) -> bool:
        """Whether its link had not held when it ended."""
        return not self._holds and self._phase != Phase.RELINKING

    async def follow(self, link: Link) -> None:
        """Follow an open client to its end. Raises HostWornOut, Permanent, Retryable."""
        self._enter(Phase.DIALLING, settings.DIAL_TIMEOUT_SECONDS)
        while True:
            left = None if self._deadline is None else max(0.0, self._deadline - loop_time())
            try:
                event = await link.next(left)
            except TimeoutError:
                await self._handle_deadline(link)
            else:
                await self._handle_event(event)

    def _enter(self, phase: Phase, seconds: float | None) -> None:
        self._phase = phase
        self._deadline = None if seconds is None else loop_time() + seconds

    async def _handle_deadline(self, link: Link) -> None:
        """The phase has lasted for as long as it may. Raises Retryable."""
        if self._phase == Phase.DIALLING:
            # Its dial goes on, and must not be left alone; but people are told.
            self._enter(Phase.DIALLING_LONG, LONGEST_DIAL_SECONDS)
            self._limiter.record_failure()
            await self._owned.observe(Reason.UNREACHABLE, "it did not answer")
        elif self._phase == Phase.PROBATION:
            self._enter(Phase.HELD, None)
            self._holds = self.has_held = True
            self._stability.record_held()
            link.allow_relink()
            await self._owned.observe(Reason.RESUMED)
        elif self._phase in (Phase.RELINKING, Phase.CUT_OFF):
            raise Retryable(Reason.LINK_LOST)
        elif self._phase == Phase.SILENT:
            raise Retryable(Reason.NOT_ANSWERING)
        else:
            raise Retryable(Reason.UNREACHABLE)

    async def _handle_event(self, event: Event) -> None:
        """Raises HostWornOut, Permanent, Retryable."""
        kind = event["event"]
        if kind == "reached" and self._phase != Phase.CUT_OFF:
            self._enter(Phase.LOGGING_IN, settings.DIAL_TIMEOUT_SECONDS)
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
                self._enter(Phase.SILENT, SILENCE_SECONDS * random.uniform(0.7, 1.0))
            if self.was_up:
                await self._owned.observe(Reason.NOT_ANSWERING)
        elif kind == "move":
            raise HostWornOut
        elif kind == "code":
            # It asks for a phone: there is no device in this store any more.
            raise Permanent(Reason.FORGOTTEN)
        elif ended := ending(event):
            if kind == "logged_out":
                await asyncio.sleep(FORGET_SECONDS)
            if kind == "replaced" and self._evict_own():
                raise Retryable(Reason.LINK_LOST)
            raise ended

    def _handle_login(self) -> None:
        """WhatsApp let it in. Raises Retryable when its connection is gone already."""
        self._logged_in_at = loop_time()
        self._holds = False
        self._stability.record_login()
        if self._phase == Phase.CUT_OFF:
            raise Retryable(Reason.LINK_LOST)
        self._enter(Phase.LOGGING_IN, settings.DIAL_TIMEOUT_SECONDS)

    async def _handle_connected(self) -> None:
        """The client is connected. It counts as such, unless it is known not to stay so."""
        self._limiter.record_success()
        self._owned.requested = False
        self.was_up = True
        if self._holds:
            self._enter(Phase.HELD, None)
        else:
            since = loop_time() if self._logged_in_at is None else self._logged_in_at
            self._logged_in_at = since
            self._enter(Phase.PROBATION, max(0.0, since + HELD_SECONDS - loop_time()))
        if not self._stability.unstable:
            return await self._owned.observe(Reason.RESUMED)
        detail = (
            f"logged in again after {self._stability.drops} drops in a row; counts as connected "
            f"once it has held for {HELD_SECONDS:.0f} s"
        )
        await self._owned.observe(Reason.LINK_UNSTABLE, detail)

    async def _handle_lost(self) -> None:
        """The connection is gone. The library brings back one that has held. Raises Retryable."""
        if self._logged_in_at is None:
            self._holds = False
            return self._enter(Phase.CUT_OFF, CUT_OFF_SECONDS)
        if not self._holds:
            raise Retryable(Reason.LINK_LOST)
        self._logged_in_at = None
        self._enter(Phase.RELINKING, RELINK_SECONDS * random.uniform(0.7, 1.0))
        await self._owned.observe(Reason.LINK_LOST)

    def _handle_relink_failed(self, error: str) -> None:
        """The library could not connect again. Raises Retryable."""
        if self._phase == Phase.RELINKING and not is_refusing(error):
            raise Retryable(Reason.UNREACHABLE, dial_words(error))
        if self._phase == Phase.CUT_OFF:
            return  # The login may still be told of.
        raise Retryable(Reason.LINK_LOST)

    def _evict_own(self) -> bool:
        """Whether it was replaced by a client of this worker, which is ended then."""
        owned = self._owned
        return owned.context.clients.evict(owned.id, owned.store_name)
