"""What the worker does for one request of one connection: disconnect, pair, keep linked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db import connection as database

from connections import actions, auth_sessions
from connections.actions import Fence, Superseded
from connections.lifecycle import Desired, Observation, Reason
from connections.log_fields import about
from connections.models import Connection, PairingAttempt
from connections.worker.client_handle import Link
from connections.worker.linked import Linked, banned_until_of
from connections.worker.logout import log_out, log_out_leftovers, log_out_store
from connections.worker.pairing import Pairing

if TYPE_CHECKING:
    from connections.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)

Outcome = PairingAttempt.Outcome

T = TypeVar("T")

# An error of our own is tried again a few times, and then told.
TRIALS = 4
PAUSE_SECONDS = 2.0
FIRST_RETRY_SECONDS = 0.2


class ConnectionTask:
    """Carries out one request (a generation) of one connection, until it is superseded."""

    def __init__(self, supervisor: Supervisor, connection: Connection, link: Link | None) -> None:
        self.supervisor = supervisor
        self.id: int = connection.pk
        self.fence = Fence.of(connection)
        self.link = link
        self.store_name = connection.store_name
        # Whether a person waits for this, who would rather have a QR code than an explanation.
        self.requested = connection.started_generation < connection.generation
        self._to_connect = connection.desired == Desired.CONNECTED and not connection.logout_pending
        # A code is shown though there is a saved login, which is kept until a phone is linked.
        self._fresh_code = self.requested and connection.fresh_code and bool(self.store_name)
        self._retiring: asyncio.Task[None] | None = None
        self.disconnecting = False  # must not be cut short by a newer request

    async def db(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a database function on the supervisor's own thread."""
        return await self.supervisor.db(function, *arguments)

    async def thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that touches credentials, on any thread.

        While their database is away it is tried again for as long as it takes, as in `db`.
        """
        wait = FIRST_RETRY_SECONDS
        while True:
            try:
                return await asyncio.to_thread(function, *arguments)
            except auth_sessions.Away as away:
                if wait == FIRST_RETRY_SECONDS:
                    fields = {"organization": self.id, "why": str(away)}
                    logger.error("the credentials are away", extra=fields)
            await asyncio.sleep(wait)
            wait = min(wait * 2, PAUSE_SECONDS)

    async def change(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that changes this connection's stores, as only its owner may."""
        change = partial(function, self.id, *arguments)
        if settings.DATABASE_URL:
            change = partial(_as_owner, self.fence, change)
        return await self.thread(change)

    async def observe(
        self, observation: Observation, detail: str = "", retry_at: datetime | None = None
    ) -> None:
        """Write down what happened. Raises Superseded."""
        await self.db(actions.record_event, self.fence, observation, detail, retry_at)

    async def run(self) -> None:
        """To the end of this request, or until a newer one supersedes it."""
        worker = self.supervisor.worker.pk
        with about(organization=self.id, generation=self.fence.generation, worker=worker):
            try:
                await self._run_to_the_end()
            finally:
                if self._retiring is not None:
                    self._retiring.cancel()

    async def _run_to_the_end(self) -> None:
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
                await self.close()
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
        at_once = not self.store_name or self._fresh_code
        if self.requested and self._to_connect and at_once and self.link is None:
            # There is nothing to resume, and a person waits for a code: the shortest way to it.
            went_on = await self._pair(first=True)
        else:
            went_on = await self._carry_out()
        linked = Linked(self)
        while went_on and (because := await linked.run()):
            went_on = await self._pair(because)

    async def _carry_out(self) -> bool:
        """Whether there are credentials to hold a link with."""
        connection = await self.db(actions.mark_started, self.fence)
        self.store_name = connection.store_name
        if connection.logout_pending:
            await self._disconnect(connection)
        elif self.link is not None:
            # A request to reconnect means: not by waiting for what is open.
            await self.close()
        gave_up = self.requested or connection.reason == Reason.SAVED_LOGIN_KEPT
        if gave_up and not connection.logout_pending:
            wanted = connection.desired == Desired.CONNECTED
            await self._clear_up(
                {self.store_name},
                Observation.LOGOUT_UNCONFIRMED if wanted else Observation.DISCONNECTED_UNCONFIRMED,
            )
        if connection.desired != Desired.CONNECTED:
            return False
        if self._fresh_code:
            return await self._pair()
        because = await self._first_obstacle()
        if because is None:
            if self.requested:
                await self.observe(Observation.RESUME_STARTED)
        elif self.requested:
            return await self._pair(because if self.store_name else None)
        else:
            await self.observe(because)
        return because is None

    async def _first_obstacle(self) -> Observation | None:
        """Why the saved credentials are of no use, or None when they are to be tried."""
        if not self.store_name:
            return Observation.CREDENTIALS_MISSING
        try:
            number = await self.thread(auth_sessions.linked_number, self.id, self.store_name)
        except auth_sessions.Damaged:
            return Observation.CREDENTIALS_DAMAGED
        except auth_sessions.Unusable:
            # A disk that fails at the moment: trying to open them finds out when it is over.
            logger.exception("credentials cannot be opened", extra={"organization": self.id})
            return None
        return None if number else Observation.CREDENTIALS_MISSING

    async def _disconnect(self, connection: Connection) -> None:
        """Log out at WhatsApp within a bounded time, then delete the credentials all the same."""
        self.disconnecting = True
        trouble = await log_out(self, connection)
        trouble = await log_out_leftovers(self, {self.store_name}) or trouble
        await self.change(auth_sessions.delete)
        told = trouble is None
        seen = Observation.DISCONNECTED if told else Observation.DISCONNECTED_UNCONFIRMED
        await self.db(actions.forget_credentials, self.fence, seen, trouble or "")
        self.store_name = ""
        self.disconnecting = False

    async def _clear_up(self, keep: set[str], untold: Observation) -> None:
        """Of an attempt that was given up, nothing may stay linked, or lie here.

        `untold`: what is seen when WhatsApp could not be told. Raises Superseded.
        """
        if not await self.thread(auth_sessions.stores, self.id):
            return
        keep = keep | await self.db(_linked_stores, self.id)
        self.disconnecting = True
        try:
            trouble = await log_out_leftovers(self, keep)
        finally:
            self.disconnecting = False
        await self.change(auth_sessions.discard_others, keep)
        # It may have taken long, and could not be cut short.
        await self.db(actions.mark_started, self.fence)
        if trouble:
            await self.observe(untold, trouble)

    async def pause(self) -> None:
        """The organization is deactivated: close the socket, keep the credentials."""
        await self.close()
        if await self.db(banned_until_of, self.id) is not None:
            return  # The ban is remembered for the day it wakes up.
        paused = Observation.PAUSED if self.store_name else Observation.PAIRING_INTERRUPTED
        await self._last_words(paused)

    async def close(self) -> None:
        """Close the client that is open, if one is."""
        if self.link is not None:
            link, self.link = self.link, None
            await link.close()

    async def _pair(self, because: Observation | None = None, first: bool = False) -> bool:
        """Link a phone, on a fresh store. Whether one is linked now.

        `because`: what showed that the saved credentials are worthless, if there were any. `first`:
        it is the first thing that is done for the request.
        """
        lasts = timedelta(seconds=settings.PAIRING_TIMEOUT_SECONDS)
        attempt: PairingAttempt = await self.db(actions.begin_pairing, self.fence, lasts, because)
        kept = self.store_name if self._fresh_code else ""
        if first:
            await self._clear_up({attempt.store_name, kept}, Observation.LOGOUT_UNCONFIRMED)
        with about(attempt=attempt.pk):
            linked = await Pairing(self, attempt).run()
        # Its time may have run out in the very moment of the link: what is written counts.
        linked = linked or attempt.store_name in await self.db(_linked_stores, self.id)
        self.requested = self._fresh_code = False
        if not linked:
            await self.change(auth_sessions.discard, attempt.store_name)
            return bool(kept)
        self.store_name = attempt.store_name
        self.supervisor.stability.pop(self.id, None)
        if kept:
            self._retiring = asyncio.create_task(self._retire(kept), name=f"retire {self.id}")
        else:
            await self.change(auth_sessions.discard_others, {self.store_name})
        return True

    async def _retire(self, store: str) -> None:
        """Log the device of a login out that has been replaced, and delete it all the same.

        Beside the new link, which does not wait for it. Cut short, the next disconnect does it.
        """
        try:
            if await log_out_store(self, store):
                await self.observe(Observation.OLD_DEVICE_LEFT)
            await self.change(auth_sessions.discard_others, {self.store_name})
        except Superseded:
            logger.info("superseded", extra={"organization": self.id})
        except Exception:
            logger.exception("an old login was not removed", extra={"organization": self.id})


def _as_owner(fence: Fence, change: Callable[[], T]) -> T:
    """On any thread. Raises Superseded, Away, and what `change` raises."""
    try:
        return actions.as_owner(fence, change)
    except (OperationalError, InterfaceError) as error:
        raise auth_sessions.Away(str(error).strip()) from error
    finally:
        database.close()


def _linked_stores(connection_id: int) -> set[str]:
    """The stores that a phone was ever linked in: only a disconnect or a new link ends them."""
    attempts = PairingAttempt.objects.filter(connection=connection_id, outcome=Outcome.LINKED)
    return {attempt.store_name for attempt in attempts.only("pk")}
