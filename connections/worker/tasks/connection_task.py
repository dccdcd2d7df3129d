"""Carries out one request of one connection: disconnect, pair, keep the link."""

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
from connections.worker.hosts.client import ClientHandle
from connections.worker.tasks.context import TaskContext, loop_time
from connections.worker.tasks.link_keeper import LinkKeeper
from connections.worker.tasks.logout import (
    NO_CREDENTIALS,
    LogoutProblem,
    log_out,
    log_out_leftovers,
    log_out_store,
)
from connections.worker.tasks.owned_connection import OwnedConnection
from connections.worker.tasks.pairing import Pairing

logger = logging.getLogger(__name__)

# An unexpected error is retried a few times before it is recorded.
MAX_TRIES = 4
RETRY_PAUSE_SECONDS = 2.0
# After a run of so long an error is the first one again.
GOOD_RUN_SECONDS = 60.0
# Before a removal a logout that WhatsApp has not confirmed is tried again, each time later.
LOGOUT_PAUSE_SECONDS, MAX_LOGOUT_PAUSE_SECONDS = 5.0, 300.0


class ConnectionTask(OwnedConnection):
    """Carries out one request (a generation) of one connection, until it is superseded."""

    def __init__(
        self, context: TaskContext, connection: Connection, client: ClientHandle | None
    ) -> None:
        super().__init__(context, connection, client)
        self._to_connect = connection.desired == Desired.CONNECTED and not connection.logout_pending
        # Show a code although there is a saved login, which is kept until a phone is linked.
        self._fresh_code = self.requested and connection.fresh_code and bool(self.store_name)
        self._logging_out_old: asyncio.Task[None] | None = None
        self.uninterruptible = False  # a newer request waits for it

    async def run(self) -> None:
        """Carry out the request, until it ends or a newer one supersedes it."""
        worker = self.context.get_worker().pk
        with about(organization=self.id, generation=self.fence.generation, worker=worker):
            try:
                await self._run_with_retries()
            finally:
                if self._logging_out_old is not None:
                    self._logging_out_old.cancel()

    async def _run_with_retries(self) -> None:
        reason, detail = Reason.SESSION_BROKE, ""
        trial = 0
        while trial < MAX_TRIES:
            started_at = loop_time()
            try:
                return await self._run()
            except Superseded:
                logger.info("a newer request superseded this one", extra={"organization": self.id})
                return
            except Exception as error:
                if loop_time() - started_at >= GOOD_RUN_SECONDS:
                    trial, reason, detail = 0, Reason.SESSION_BROKE, ""
                trial += 1
                logger.exception("a task failed", extra={"organization": self.id, "trial": trial})
                if isinstance(error, OSError):
                    reason, detail = Reason.STORE_FAILED, error.strerror or ""
                await self.close()
            self.claimed = None
            if trial < MAX_TRIES:
                await asyncio.sleep(trial * RETRY_PAUSE_SECONDS)
        await self._record_end(reason, detail)

    async def _record_end(self, observation: AnyObservation, detail: str = "") -> None:
        """Record how the request ended, unless a newer one has superseded it."""
        try:
            await self.record_event(observation, detail)
        except Superseded:
            logger.info("a newer request superseded this one", extra={"organization": self.id})

    async def _run(self) -> None:
        at_once = not self.store_name or self._fresh_code
        if self.requested and self._to_connect and at_once and self.client is None:
            # There is nothing to resume, and a person waits for a code: pair at once.
            has_login = await self._pair(first=True)
        else:
            has_login = await self._start_request()
        link_keeper = LinkKeeper(self)
        while has_login and (invalid_reason := await link_keeper.run()):
            has_login = await self._pair(invalid_reason)

    async def _start_request(self) -> bool:
        """Start the request. Return whether there are credentials to log in with."""
        # Of a claimed row the first write notices a newer request.
        connection = self.claimed
        if connection is None:
            connection = await self.db(actions.mark_started, self.fence)
        self.store_name = connection.store_name
        if connection.logout_pending:
            await self._disconnect(connection)
        elif self.client is not None:
            # A request to reconnect replaces the open client.
            await self.close()
        may_have_leftovers = self.requested or connection.reason == Reason.SAVED_LOGIN_KEPT
        if may_have_leftovers and not connection.logout_pending:
            connects = connection.desired == Desired.CONNECTED
            await self._remove_leftovers(
                {self.store_name},
                Observation.LOGOUT_UNCONFIRMED if connects else Reason.DISCONNECTED_UNCONFIRMED,
            )
        if connection.desired != Desired.CONNECTED:
            return False
        if self._fresh_code:
            return await self._pair()
        invalid_reason = await self._check_credentials()
        if invalid_reason is None:
            if self.requested:
                await self.record_event(Observation.RESUME_STARTED)
        elif self.requested:
            return await self._pair(invalid_reason if self.store_name else None)
        else:
            await self.record_event(invalid_reason)
        return invalid_reason is None

    async def _check_credentials(self) -> AnyObservation | None:
        """Return why the saved credentials are invalid, or None when a login should be tried."""
        if not self.store_name:
            return Reason.CREDENTIALS_MISSING
        try:
            number = await self.linked_number(self.store_name)
        except StoreDamaged:
            return Reason.CREDENTIALS_DAMAGED
        except StoreUnusable:
            # The disk fails at the moment. The login retries until it can open them.
            logger.exception("the credentials cannot be opened", extra={"organization": self.id})
            return None
        return None if number else Reason.CREDENTIALS_MISSING

    async def _disconnect(self, connection: Connection) -> None:
        """Log out at WhatsApp within a time limit, then delete the credentials in any case.

        Before a removal they are kept until WhatsApp has confirmed it, or a person decides.
        """
        self.uninterruptible = True
        if self.client is None or self.client.ended:
            await self.find_lost()
        problem = await self._log_out(connection)
        pause = LOGOUT_PAUSE_SECONDS
        while connection.logout_required and problem and problem != NO_CREDENTIALS:
            await self.db(actions.record_logout_problem, self.fence, problem.text, problem.until)
            self.uninterruptible = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_LOGOUT_PAUSE_SECONDS)
            self.uninterruptible = True
            connection = await self.db(actions.mark_started, self.fence)
            problem = await self._log_out(connection)
        await self.change_stores(self.context.stores.delete)
        confirmed = problem is None
        reason = Reason.DISCONNECTED if confirmed else Reason.DISCONNECTED_UNCONFIRMED
        await self.db(
            actions.forget_credentials, self.fence, reason, problem.text if problem else ""
        )
        self.store_name = ""
        self.uninterruptible = False

    async def _log_out(self, connection: Connection) -> LogoutProblem | None:
        """Log the device and those of abandoned attempts out. Return None, or the problem."""
        problem = await log_out(self, connection)
        if problem and problem.until and connection.logout_required:
            return problem  # All of them are tried again after the ban.
        return await log_out_leftovers(self, {self.store_name}) or problem

    async def _remove_leftovers(self, keep: set[str], unconfirmed: AnyObservation) -> None:
        """Log out and remove stores that an abandoned attempt has left.

        `unconfirmed`: recorded when WhatsApp could not confirm a logout. Raises Superseded.
        """
        if not await self.run_in_thread(self.context.stores.stores, self.id):
            return
        keep = keep | await self.db(_linked_stores, self.id)
        self.uninterruptible = True
        try:
            problem = await log_out_leftovers(self, keep)
        finally:
            self.uninterruptible = False
        await self.change_stores(self.context.stores.discard_others, keep)
        # It may have taken long; stop here if a newer request has come.
        await self.db(actions.mark_started, self.fence)
        if problem:
            await self.record_event(unconfirmed, problem.text)

    async def pause(self) -> None:
        """Close the socket and keep the credentials, as the organization is deactivated."""
        await self.close()
        if await self.banned_until() is not None:
            return  # Keep the ban's end for the reactivation.
        paused = Observation.PAUSED if self.store_name else Reason.PAIRING_INTERRUPTED
        await self._record_end(paused)

    async def _pair(
        self, invalid_reason: AnyObservation | None = None, first: bool = False
    ) -> bool:
        """Link a phone in a new store. Return whether there is a login now.

        `invalid_reason`: why the saved credentials are invalid, if there were any. `first`: the
        request starts with this pairing.
        """
        await self.find_lost()  # Another link ends the present one.
        lifetime = timedelta(seconds=settings.PAIRING_TIMEOUT_SECONDS)
        attempt: PairingAttempt = await self.db(
            actions.start_pairing, self.fence, lifetime, invalid_reason
        )
        if invalid_reason is not None:
            self.store_name = ""  # As in the row by now: no login is left.
        kept_store = self.store_name if self._fresh_code else ""
        if first:
            await self._remove_leftovers(
                {attempt.store_name, kept_store}, Observation.LOGOUT_UNCONFIRMED
            )
        with about(attempt=attempt.pk):
            linked = await Pairing(self, attempt).run()
        # The attempt may have timed out while the phone was linked: the database decides.
        linked = linked or attempt.store_name in await self.db(_linked_stores, self.id)
        self.requested = self._fresh_code = False
        if not linked:
            await self.change_stores(self.context.stores.discard, attempt.store_name)
            return bool(kept_store)
        self.store_name = attempt.store_name
        self.context.stability.pop(self.id, None)
        if kept_store:
            self._logging_out_old = asyncio.create_task(
                self._log_out_old(kept_store), name=f"log out old {self.id}"
            )
        else:
            await self.change_stores(self.context.stores.discard_others, {self.store_name})
        return True

    async def _log_out_old(self, store: str) -> None:
        """Log out the device of a replaced login, and delete its store in any case.

        It runs beside the new link. If it is cancelled, the next disconnect does it.
        """
        try:
            if await log_out_store(self, store):
                await self.record_event(Reason.OLD_DEVICE_LEFT)
            await self.change_stores(self.context.stores.discard_others, {self.store_name})
        except Superseded:
            logger.info("a newer request superseded this one", extra={"organization": self.id})
        except Exception:
            logger.exception(
                "a replaced login could not be removed", extra={"organization": self.id}
            )


def _linked_stores(connection_id: int) -> set[str]:
    """Return the stores a phone was linked in; only a disconnect or a new link removes them."""
    linked = PairingAttempt.Outcome.LINKED
    attempts = PairingAttempt.objects.filter(connection=connection_id, outcome=linked)
    return {attempt.store_name for attempt in attempts.only("pk")}
