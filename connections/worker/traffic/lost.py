"""Compares the library's tables of message secrets with what was stored."""

from __future__ import annotations

import asyncio
import logging

from connections.stores import StoreDamaged, StoreUnavailable, StoreUnusable
from connections.worker.message_port import StoredSecret
from connections.worker.tasks.connection_task import ConnectionTask
from connections.worker.traffic.context import TrafficContext
from connections.worker.traffic.incoming import IncomingTraffic

logger = logging.getLogger(__name__)

ROUND_SECONDS = 20.0


class LostMessages:
    """Finds messages that were confirmed to WhatsApp and never stored.

    A row of the table is written right before its message reaches the spool. So a row that was
    there in one round must have its message in the next, when all of the spool is stored.
    """

    def __init__(self, context: TrafficContext, incoming: IncomingTraffic) -> None:
        self._context = context
        self._incoming = incoming
        self._newest: dict[tuple[int, str], int] = {}  # by connection and store, a round ago
        self._checked: dict[tuple[int, str], int] = {}

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
        for key, task in tasks.items():
            try:
                await self._compare(key, task)
            except StoreUnavailable:
                continue  # The next round does it.
            except (StoreDamaged, StoreUnusable):
                logger.exception("a store cannot be read", extra={"organization": key[0]})

    async def _compare(self, key: tuple[int, str], task: ConnectionTask) -> None:
        context = self._context
        drained = self._incoming.is_drained(task.id)
        upto, newest = self._newest.get(key), await self._newest_row(key)
        if drained:
            self._newest[key] = newest
        if upto is None or not drained:
            return
        if key not in self._checked:
            self._checked[key] = await context.db(context.port.secrets_position, task.fence)
        while self._checked[key] < upto:
            rows = await context.to_thread(
                context.stores.message_secrets, *key, self._checked[key], upto
            )
            position = rows[-1].row if rows else upto
            secrets = [StoredSecret(*row) for row in rows]
            await context.db(context.port.record_secrets, task.fence, secrets, position)
            self._checked[key] = position

    async def _newest_row(self, key: tuple[int, str]) -> int:
        return await self._context.to_thread(self._context.stores.newest_secret, *key)
