"""Hands over all that a worker owns before it stops, as long as others can take it."""

from __future__ import annotations

import asyncio
import logging

from connections import actions
from connections.database_outages import DATABASE_UNAVAILABLE
from connections.worker.balancing import Balancer
from connections.worker.database import Database
from connections.worker.lease import Lease
from connections.worker.tasks.task_runner import TaskRunner

logger = logging.getLogger(__name__)

# A database that takes longer to note that the worker drains is away, or of no use for a handover.
BEGIN_SECONDS = 3.0
STEP_SECONDS = 0.2


class Draining:
    """Hands the connections of a worker over to others."""

    def __init__(
        self, database: Database, lease: Lease, balancer: Balancer, task_runner: TaskRunner
    ) -> None:
        self._database = database
        self._lease = lease
        self._balancer = balancer
        self._task_runner = task_runner

    async def run(self, seconds: float, skip: asyncio.Event) -> None:
        """Hand over until nothing is left, no worker takes any, or `skip` is set.

        It takes `seconds` at most, and ends with the lease: without the database, which the lease
        does not outlast for long, nobody can take anything over.
        """
        if not self._lease.held:
            return
        tasks = [
            asyncio.ensure_future(self._hand_over_all()),
            asyncio.ensure_future(skip.wait()),
            asyncio.ensure_future(self._lease.wait_until_lost()),
        ]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(error, Exception):
                logger.error("the handover failed", exc_info=error)

    async def _hand_over_all(self) -> None:
        worker = self._lease.worker
        assert worker is not None
        try:
            async with asyncio.timeout(BEGIN_SECONDS):
                await self._database.run_once(actions.drain_worker, worker.pk)
        except (TimeoutError, *DATABASE_UNAVAILABLE):
            return logger.warning("nothing is handed over, as the database does not answer")
        while self._task_runner.load:
            await self._balancer.refresh()
            if not self._balancer.can_hand_over:
                return
            await self._balancer.hand_over_excess()
            await asyncio.sleep(STEP_SECONDS)
