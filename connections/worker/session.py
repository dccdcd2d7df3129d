"""What the worker does for one request of one connection: disconnect, pair, keep linked."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings
from django.utils import timezone

from connections import actions, auth_sessions
from connections.actions import Fence, Superseded
from connections.lifecycle import Desired, Observation
from connections.models import Connection
from connections.worker.host import Event, HostBroken, Link
from connections.worker.pairing import Pairing

if TYPE_CHECKING:
    from connections.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)

T = TypeVar("T")

# An error of our own is tried again a few times, and then told.
TRIALS = 4
PAUSE_SECONDS = 2.0
MAX_BACKOFF_SECONDS = 60.0
# whatsmeow reconnects by itself, but waits longer each time and without a limit; then we do it.
RELINK_SECONDS = 30.0
# whatsmeow deletes a device that was logged out only after it has said so.
FORGET_SECONDS = 1.0


class Session:
    """Carries out one request (a generation) of one connection, until it is superseded."""

    def __init__(self, supervisor: Supervisor, connection: Connection, link: Link | None) -> None:
        self.supervisor = supervisor
        self.id: int = connection.pk
        self.fence = Fence(connection.pk, connection.claim, connection.generation)
        self.link = link
        self._store = connection.store
        # Whether a person waits for this, who would rather have a QR code than an explanation.
        self._requested = connection.begun_generation < connection.generation
        self.disconnecting = False  # must not be cut short by a newer request

    async def db(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a database function on the supervisor's own thread."""
        return await self.supervisor.db(function, *arguments)

    async def thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that touches files, on any thread."""
        return await asyncio.to_thread(function, *arguments)

    async def observe(self, observation: Observation, detail: str = "") -> None:
        """Write down what happened. Raises Superseded."""
        await self.db(actions.observe, self.fence, observation, detail)

    async def run(self) -> None:
        """To the end of this request, or until a newer one supersedes it."""
        ending, detail = Observation.SESSION_BROKE, ""
        for trial in range(1, TRIALS + 1):
            try:
                return await self._run()
            except Superseded:
                logger.info("superseded", extra={"organization": self.id})
                return
            except Exception as error:
                logger.exception("a session broke", extra={"organization": self.id, "trial": trial})
                if isinstance(error, OSError):
                    ending, detail = Observation.STORE_FAILED, error.strerror or ""
                await self._close()
            if trial < TRIALS:
                await asyncio.sleep(trial * PAUSE_SECONDS)
        await self._last_words(ending, detail)

    async def _last_words(self, observation: Observation, detail: str = "") -> None:
        """Write down how it ended, unless someone has already asked for something else."""
        try:
            await self.observe(observation, detail)
        except Superseded:
            logger.info("superseded", extra={"organization": self.id})

    async def _run(self) -> None:
        connection = await self.db(actions.begin, self.fence)
        self._store = connection.store
        if connection.logout_wanted:
            await self._disconnect()
        elif self.link is not None:
            # A request to reconnect means: not by waiting for what is open.
            await self._close()
        if connection.desired != Desired.CONNECTED:
            if not connection.logout_wanted:
                await self.thread(auth_sessions.discard_others, self.id, self._store)
            return
        number = await self.thread(auth_sessions.linked_number, self.id, self._store)
        if number:
            if self._requested:
                await self.observe(Observation.RESUME_STARTED)
        elif not self._requested:
            return await self.observe(Observation.CREDENTIALS_MISSING)
        elif not await self._pair():
            return
        while because := await self._keep_linked():
            if not await self._pair(because):
                return

    # --- Disconnecting --------------------------------------------------------------------------

    async def _disconnect(self) -> None:
        """Log out at WhatsApp within a bounded time, then delete the credentials all the same."""
        self.disconnecting = True
        trouble = await self._log_out()
        await self.thread(auth_sessions.delete, self.id)
        told = trouble is None
        seen = Observation.DISCONNECTED if told else Observation.DISCONNECTED_UNTOLD
        await self.db(actions.forget_credentials, self.fence, seen, trouble or "")
        self._store = ""
        self.disconnecting = False

    async def _log_out(self) -> str | None:
        """None when WhatsApp has forgotten this device or never knew it, else what went wrong."""
        if self.link is None or not self.link.connected:
            await self._close()
            if not self._store:
                return None
            if not await self.thread(auth_sessions.linked_number, self.id, self._store):
                return "the saved credentials could not be read"
        deadline = asyncio.get_running_loop().time() + settings.LOGOUT_TIMEOUT_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                if self.link is None:
                    self.link = await self.supervisor.open(self.id, self._store)
                    await self._until_connected(self.link)
                left = deadline - asyncio.get_running_loop().time()
                return await self.link.logout(left) or None
        except TimeoutError:
            return "WhatsApp did not answer in time"
        except _LoggedOut:
            return None
        except (_Dropped, HostBroken):
            return "WhatsApp could not be reached"
        finally:
            await self._close()

    async def _until_connected(self, link: Link) -> None:
        while (event := await link.next())["event"] != "connected":
            if event["event"] == "logged_out":
                raise _LoggedOut
            if event["event"] in ("ended", "host_gone") or self.final(event):
                raise _Dropped

    async def pause(self) -> None:
        """The organization is deactivated: close the socket, keep the credentials."""
        await self._close()
        paused = Observation.PAUSED if self._store else Observation.PAIRING_INTERRUPTED
        await self._last_words(paused)

    async def _close(self) -> None:
        if self.link is not None:
            link, self.link = self.link, None
            await link.close()

    # --- Pairing --------------------------------------------------------------------------------

    async def _pair(self, because: Observation | None = None) -> bool:
        """Link a phone, on a fresh store. Whether one is linked now."""
        lasts = timedelta(seconds=settings.PAIRING_TIMEOUT_SECONDS)
        attempt = await self.db(actions.begin_pairing, self.fence, lasts, because)
        linked = await Pairing(self, attempt).run()
        self._requested = False
        if linked:
            self._store = attempt.store
            await self.thread(auth_sessions.discard_others, self.id, self._store)
        else:
            await self.thread(auth_sessions.discard, self.id, attempt.store)
        return linked

    # --- Staying linked -------------------------------------------------------------------------

    async def _keep_linked(self) -> Observation | None:
        """Hold the link for as long as it can be held.

        Returns why a fresh pairing should follow, or None when only a person can help.
        """
        failures = 0
        while True:
            try:
                self.link = await self.supervisor.open(self.id, self._store)
                await self._follow(self.link)
            except _Final as final:
                if final.observation in actions.GONE_AT_WHATSAPP and self._requested:
                    # Someone pressed Reconnect, and the saved credentials are worthless: the
                    # fresh QR code comes at once, not after another press.
                    return final.observation
                await self.observe(final.observation, final.detail)
                return None
            except _Dropped as dropped:
                failures = 0 if dropped.was_connected else failures + 1
                await self.observe(dropped.observation)
            except HostBroken:
                logger.exception("no session host", extra={"organization": self.id})
                failures += 1
                await self.observe(Observation.HOST_CRASHED)
            finally:
                await self._close_unless_handed_over()
            wait = min(MAX_BACKOFF_SECONDS, 2.0**failures) if failures else 0.0
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))

    async def _close_unless_handed_over(self) -> None:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            await self._close()

    async def _follow(self, link: Link) -> None:
        """Write down what happens to an open client. Raises _Dropped, _Final."""
        was_connected = False
        patience: float | None = settings.DIAL_TIMEOUT_SECONDS
        why = Observation.UNREACHABLE
        while True:
            try:
                event = await link.next(patience)
            except TimeoutError:
                raise _Dropped(why, was_connected) from None
            kind = event["event"]
            if kind in ("connected", "restored"):
                was_connected, patience = True, None
                self._requested = False
                await self.observe(Observation.RESUMED)
            elif kind in ("lost", "silent"):
                why = Observation.LINK_LOST if kind == "lost" else Observation.NOT_ANSWERING
                patience = RELINK_SECONDS if kind == "lost" else patience
                if was_connected:
                    await self.observe(why)
            elif kind == "ended":
                raise _Dropped(Observation.LINK_LOST if was_connected else why, was_connected)
            elif kind == "host_gone":
                raise _Dropped(Observation.HOST_CRASHED, was_connected)
            elif kind == "failed":
                raise _Dropped(Observation.LOGIN_REFUSED, was_connected)
            elif final := self.final(event):
                if kind == "logged_out":
                    await asyncio.sleep(FORGET_SECONDS)
                raise _Final(*final)

    def final(self, event: Event) -> tuple[Observation, str] | None:
        """What an event means after which only a person can help, and a detail; else None."""
        kind = event["event"]
        if kind == "logged_out":
            if not event["while_offline"]:
                return Observation.LOGGED_OUT_BY_PHONE, ""
            if event["reason"] == "MAIN_DEVICE_GONE":
                return Observation.ACCOUNT_LOCKED, ""
            return Observation.FORGOTTEN, ""
        if kind == "banned":
            until = timezone.now() + timedelta(seconds=event["seconds"])
            return Observation.TEMPORARILY_BANNED, f"until {until:%Y-%m-%d %H:%M} UTC"
        if kind == "replaced":
            return Observation.TAKEN_OVER, ""
        if kind == "outdated":
            return Observation.CLIENT_OUTDATED, ""
        return None


class _Dropped(Exception):
    """The client is of no use any more; another one may be."""

    def __init__(
        self, observation: Observation = Observation.LINK_LOST, was_connected: bool = False
    ) -> None:
        super().__init__(observation)
        self.observation = observation
        self.was_connected = was_connected


class _Final(Exception):
    """Only a person can help."""

    def __init__(self, observation: Observation, detail: str) -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail


class _LoggedOut(Exception):
    """WhatsApp has already forgotten this device."""
