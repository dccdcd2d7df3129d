"""Compares the library's tables of message secrets with what was stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from connections.actions import Fence
from connections.stores import StoreDamaged, StoreUnavailable, StoreUnusable
from connections.stores.base import StoreKey
from connections.stores.jids import number_of
from connections.worker import spools
from connections.worker.message_port import StoredSecret
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.incoming import IncomingTraffic

logger = logging.getLogger(__name__)

ROUND_SECONDS = 20.0
# One query, or that many files, in one turn of a thread.
STORES_PER_READING = 50
# How long a login may wait for the comparison.
BEFORE_LOGIN_SECONDS = 5.0


class LostMessages:
    """Finds messages that were confirmed to WhatsApp and never stored.

    A row of the table is written right before its message reaches the spool. So a row that was
    there in one round must have its message in the next, when all of the spool is stored. Without
    a client, it must have it at once.
    """

    def __init__(self, context: TrafficContext, incoming: IncomingTraffic) -> None:
        self._context = context
        self._incoming = incoming
        self._newest: dict[StoreKey, int] = {}  # by connection and store, a round ago
        self._checked: dict[StoreKey, int] = {}

    async def find_before_login(self, fence: Fence, store: str) -> None:
        """Compare the table of a connection's login whose client has ended.

        If the phone has unlinked the device meanwhile, the library deletes the table at the login.
        A login that would wait for too long goes on without it; the rounds compare later.
        """
        key = (fence.connection_id, store)
        try:
            async with asyncio.timeout(BEFORE_LOGIN_SECONDS):
                await self._context.to_thread(spools.publish_pairing, *key)
                await self._incoming.drain_ended(fence.connection_id)
                newest = await self._newest_row(key)
                await self._compare_upto(key, fence, newest, newest)
        except Exception as error:
            # Not its text: a database quotes the values that it refuses.
            logger.error(
                "messages could not be compared before a login",
                extra={"organization": fence.connection_id, "why": type(error).__name__},
            )

    async def run_round(self) -> None:
        """Compare once, and sleep until the next round."""
        await asyncio.sleep(ROUND_SECONDS)
        if not self._context.lease_held():
            return
        tasks = {
            (pk, task.store_name): task
            for pk, task in self._context.tasks().items()
            if task.store_name
        }
        for known in (self._newest, self._checked):
            for key in known.keys() - tasks.keys():
                del known[key]
        keys = list(tasks)
        for at in range(0, len(keys), STORES_PER_READING):
            part = keys[at : at + STORES_PER_READING]
            try:
                await self._compare_all({key: tasks[key] for key in part})
            except StoreUnavailable:
                return  # The next round does it.

    async def _compare_all(self, tasks: Mapping[StoreKey, ConnectionTask]) -> None:
        """Compare several tables, whose newest rows are read together."""
        drained = {key: self._incoming.is_drained(task.id) for key, task in tasks.items()}
        stores = self._context.stores
        rows = await self._context.to_thread(stores.newest_secrets, list(tasks))
        for key, newest in rows.items():
            try:
                if not isinstance(newest, int):
                    raise newest
                if drained[key]:
                    await self._compare(key, tasks[key], newest)
            except (StoreDamaged, StoreUnusable):
                logger.exception("a store cannot be read", extra={"organization": key[0]})

    async def _compare(self, key: StoreKey, task: ConnectionTask, newest: int) -> None:
        upto = self._newest.get(key)
        self._newest[key] = newest
        if upto is not None:
            await self._compare_upto(key, task.fence, upto, newest)

    async def _compare_upto(self, key: StoreKey, fence: Fence, upto: int, newest: int) -> None:
        """Compare the rows of a table that were not compared yet, up to one.

        `newest`: the newest row of the table.
        """
        context = self._context
        checked = self._checked.get(key)
        if checked is None:
            checked = await self._position(key, fence, newest)
        while checked < upto:
            rows = await context.to_thread(context.stores.message_secrets, *key, checked, upto)
            position = rows[-1].row if rows else upto
            own = await context.to_thread(context.stores.linked_lid, *key)
            # What one writes to oneself is no message of a person. That chat has the own LID.
            secrets = [StoredSecret(*row) for row in rows if number_of(row.chat) != own]
            recorded = await context.db(
                context.port.record_secrets, fence, secrets, position, newest
            )
            if recorded is None:
                break  # A history is on its way: the next rounds do it.
            checked = recorded
        self._checked[key] = checked

    async def _position(self, key: StoreKey, fence: Fence, newest: int) -> int:
        """Return the newest row that an earlier process compared.

        A copy that an earlier version made has counted its rows anew: all of them were compared.
        """
        context = self._context
        checked = await context.db(context.port.secrets_position, fence)
        if 0 < newest < checked:
            checked = newest
            await context.db(context.port.record_secrets, fence, [], checked, newest)
        return checked

    async def _newest_row(self, key: StoreKey) -> int:
        return await self._context.to_thread(self._context.stores.newest_secret, *key)
