"""What the worker does for one request of one connection: disconnect, pair, keep linked."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from django.conf import settings

from connections import actions
from connections.actions import Superseded
from connections.lifecycle import AnyObservation, Desired, Observation, Reason
from connections.log_fields import about
from connections.models import Connection, PairingAttempt
from connections.stores import StoreDamaged, StoreUnusable
from connections.worker.hosts.client import Link
from connections.worker.tasks.context import TaskContext
from connections.worker.tasks.linked import Linked
from connections.worker.tasks.logout import log_out, log_out_leftovers, log_out_store
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.pairing import Pairing

logger = logging.getLogger(__name__)

# An error of our own is tried again a few times before it is written down.
TRIALS = 4
PAUSE_SECONDS = 2.0


class ConnectionTask(OwnedConnection):
    """Carries out one request (a generation) of one connection, until it is superseded."""

    def __init__(self, context: TaskContext, connection: Connection, link: Link | None) -> None:
        super().__init__(context, connection, link)
        self._to_connect = connection.desired == Desired.CONNECTED and not connection.logout_pending
        # A code is shown though there is a saved login, which is kept until a phone is linked.
        self._fresh_code = self.requested and connection.fresh_code and bool(self.store_name)
        self._logging_out_old: asyncio.Task[None] | None = None
        self.disconnecting = False  # must not be cut short by a newer request

    async def run(self) -> None:
        """Carry the request out to its end, or until a newer one supersedes it."""
        worker = self.context.get_worker().pk
        with about(organization=self.id, generation=self.fence.generation, worker=worker):
            try:
                await self._run_to_the_end()
            finally:
                if self._logging_out_old is not None:
                    self._logging_out_old.cancel()

    async def _run_to_the_end(self) -> None:
        ending, detail = Reason.SESSION_BROKE, ""
        for trial in range(1, TRIALS + 1):
            try:
                return await self._run()
            except Superseded:
                logger.info("superseded", extra={"organization": self.id})
                return
            except Exception as error:
                logger.exception("a session broke", extra={"organization": self.id, "trial": trial})
                if isinstance(error, OSError):
                    ending, detail = Reason.STORE_FAILED, error.strerror or ""
                await self.close()
            if trial < TRIALS:
                await asyncio.sleep(trial * PAUSE_SECONDS)
        await self._record_end(ending, detail)

    async def _record_end(self, observation: AnyObservation, detail: str = "") -> None:
        """Write down how it ended, unless someone has already asked for something else."""
        try:
            await self.observe(observation, detail)
        except Superseded:
            logger.info("superseded", extra={"organization": self.id})

    async def _run(self) -> None:
        at_once = not self.store_name or self._fresh_code
        if self.requested and self._to_connect and at_once and self.link is None:
            # There is nothing to resume, and a person waits for a code: the shortest way to it.
            has_login = await self._pair(first=True)
        else:
            has_login = await self._carry_out()
        linked = Linked(self)
        while has_login and (useless := await linked.run()):
            has_login = await self._pair(useless)

    async def _carry_out(self) -> bool:
        """Begin the request. Return whether there are credentials to hold a link with."""
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
            await self._clean_up(
                {self.store_name},
                Observation.LOGOUT_UNCONFIRMED if wanted else Reason.DISCONNECTED_UNCONFIRMED,
            )
        if connection.desired != Desired.CONNECTED:
            return False
        if self._fresh_code:
            return await self._pair()
        useless = await self._check_credentials()
        if useless is None:
            if self.requested:
                await self.observe(Observation.RESUME_STARTED)
        elif self.requested:
            return await self._pair(useless if self.store_name else None)
        else:
            await self.observe(useless)
        return useless is None

    async def _check_credentials(self) -> AnyObservation | None:
        """Return why the saved credentials are of no use, or None when they are to be tried."""
        if not self.store_name:
            return Reason.CREDENTIALS_MISSING
        try:
            number = await self.linked_number(self.store_name)
        except StoreDamaged:
            return Reason.CREDENTIALS_DAMAGED
        except StoreUnusable:
            # A disk that fails at the moment: trying to open them finds out when it is over.
            logger.exception("credentials cannot be opened", extra={"organization": self.id})
            return None
        return None if number else Reason.CREDENTIALS_MISSING

    async def _disconnect(self, connection: Connection) -> None:
        """Log out at WhatsApp within a bounded time, then delete the credentials all the same."""
        self.disconnecting = True
        trouble = await log_out(self, connection)
        trouble = await log_out_leftovers(self, {self.store_name}) or trouble
        await self.change(self.context.stores.delete)
        confirmed = trouble is None
        seen = Reason.DISCONNECTED if confirmed else Reason.DISCONNECTED_UNCONFIRMED
        await self.db(actions.forget_credentials, self.fence, seen, trouble or "")
        self.store_name = ""
        self.disconnecting = False

    async def _clean_up(self, keep: set[str], unconfirmed: AnyObservation) -> None:
        """Log out and remove what an attempt that was given up has left.

        `unconfirmed`: what is observed when WhatsApp could not be told. Raises Superseded.
        """
        if not await self.thread(self.context.stores.stores, self.id):
            return
        keep = keep | await self.db(_linked_stores, self.id)
        self.disconnecting = True
        try:
            trouble = await log_out_leftovers(self, keep)
        finally:
            self.disconnecting = False
        await self.change(self.context.stores.discard_others, keep)
        # It may have taken long, and could not be cut short.
        await self.db(actions.mark_started, self.fence)
        if trouble:
            await self.observe(unconfirmed, trouble)

    async def pause(self) -> None:
        """Close the socket and keep the credentials, as the organization is deactivated."""
        await self.close()
        if await self.banned_until() is not None:
            return  # The ban is remembered for the day it wakes up.
        paused = Observation.PAUSED if self.store_name else Reason.PAIRING_INTERRUPTED
        await self._record_end(paused)

    async def _pair(self, useless: AnyObservation | None = None, first: bool = False) -> bool:
        """Link a phone, on a fresh store. Return whether there is a login now.

        `useless`: what showed that the saved credentials are worthless, if there were any. `first`:
        it is the first thing that is done for the request.
        """
        lasts = timedelta(seconds=settings.PAIRING_TIMEOUT_SECONDS)
        attempt: PairingAttempt = await self.db(actions.begin_pairing, self.fence, lasts, useless)
        if useless is not None:
            self.store_name = ""  # As in the row by now: there is nothing to come back with.
        kept = self.store_name if self._fresh_code else ""
        if first:
            await self._clean_up({attempt.store_name, kept}, Observation.LOGOUT_UNCONFIRMED)
        with about(attempt=attempt.pk):
            linked = await Pairing(self, attempt).run()
        # Its time may have run out in the very moment of the link: what is written counts.
        linked = linked or attempt.store_name in await self.db(_linked_stores, self.id)
        self.requested = self._fresh_code = False
        if not linked:
            await self.change(self.context.stores.discard, attempt.store_name)
            return bool(kept)
        self.store_name = attempt.store_name
        self.context.stability.pop(self.id, None)
        if kept:
            self._logging_out_old = asyncio.create_task(
                self._log_out_old(kept), name=f"log out old {self.id}"
            )
        else:
            await self.change(self.context.stores.discard_others, {self.store_name})
        return True

    async def _log_out_old(self, store: str) -> None:
        """Log the device of a login out that has been replaced, and delete it all the same.

        Beside the new link, which does not wait for it. Cut short, the next disconnect does it.
        """
        try:
            if await log_out_store(self, store):
                await self.observe(Reason.OLD_DEVICE_LEFT)
            await self.change(self.context.stores.discard_others, {self.store_name})
        except Superseded:
            logger.info("superseded", extra={"organization": self.id})
        except Exception:
            logger.exception("an old login was not removed", extra={"organization": self.id})


def _linked_stores(connection_id: int) -> set[str]:
    """Return the stores a phone was ever linked in: only a disconnect or a new link ends them."""
    linked = PairingAttempt.Outcome.LINKED
    attempts = PairingAttempt.objects.filter(connection=connection_id, outcome=linked)
    return {attempt.store_name for attempt in attempts.only("pk")}
