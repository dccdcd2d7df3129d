"""Shares the organizations among workers: a fair part for each, and one owner for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count

from connections import actions
from connections.models import Connection, Worker
from connections.worker import processes
from connections.worker.tasks.context import TaskContext
from connections.worker.tasks.sessions import Sessions

logger = logging.getLogger(__name__)

ROUND_SECONDS = 3.0
# A connection is offline while it moves: one after the other, and not for a small difference.
PAUSE_SECONDS = 0.05
MOVES_A_ROUND = 40
SLACK_PART = 0.1


@dataclass(frozen=True)
class Peer:
    """A living worker."""

    id: int
    load: int
    capacity: int
    draining: bool


def fair_level(total: int, capacities: Collection[int]) -> int:
    """Return how many organizations each worker takes, as far as its capacity allows.

    The least level at which all `total` are taken; the highest capacity when there is no room.
    """
    level, left, rest = 0, total, sorted(capacities)
    while rest and left > 0:
        step = min(rest[0] - level, -(-left // len(rest)))
        level += step
        left -= step * len(rest)
        rest = [capacity for capacity in rest if capacity > level]
    return level


class Sharing:
    """Knows the other workers, and hands connections over to them."""

    def __init__(self, context: TaskContext, sessions: Sessions) -> None:
        self._context = context
        self._sessions = sessions
        self.target = 0  # as many as this worker should have
        self.draining = False
        self._peers: list[Peer] = []
        self._level = 0

    @property
    def room(self) -> int:
        """Return how many more unowned connections this worker should take."""
        return 0 if self.draining else max(0, self.target - self._sessions.load)

    @property
    def tries(self) -> int:
        """Return how many unowned connections to try: others may claim some of them first."""
        return self.room * (len(self._peers) + 1)

    @property
    def has_place(self) -> bool:
        """Return whether it takes a connection that a person waits for, beyond its fair part."""
        return not self.draining and self._sessions.load < settings.WORKER_CAPACITY

    async def round(self) -> None:
        """Read who the others are, hand over what is too much here, and wait a while."""
        await self.look()
        await self.hand_over()
        await asyncio.sleep(ROUND_SECONDS)

    async def look(self) -> None:
        """Read the living workers and how many connections each has."""
        worker = self._context.get_worker()
        found, total = await self._context.db(_workers)
        own = next((peer for peer in found if peer.id == worker.pk), None)
        if own is None:
            return  # The heartbeat came too late; the lease ends in a moment.
        self._peers = [peer for peer in found if peer is not own and not peer.draining]
        takers = self._peers if own.draining else [own, *self._peers]
        self._level = fair_level(total, [peer.capacity for peer in takers])
        if own.draining != self.draining:
            logger.info("draining" if own.draining else "draining no more")
        self.draining = own.draining
        self.target = 0 if own.draining else min(self._level, own.capacity)
        self._context.connect_limiter.workers = len(found)

    @property
    def has_takers(self) -> bool:
        """Return whether another worker could take connections over at the moment."""
        return any(self._wants(peer, 0) > 0 for peer in self._peers)

    async def hand_over(self) -> None:
        """Hand what is too much here over to the workers with least, one after the other."""
        sessions = self._sessions.movable(everything=self.draining)
        load = self._sessions.load
        slack = 0 if self.draining else max(1, int(self.target * SLACK_PART))
        excess = load - self.target
        poorest = max((self._wants(peer, 0) for peer in self._peers), default=0)
        if excess <= 0 or max(excess, poorest) <= slack:
            return
        given: dict[int, int] = {}
        for connection_id in sessions[: min(excess, MOVES_A_ROUND)]:
            peer = max(
                self._peers, key=lambda peer: self._wants(peer, given.get(peer.id, 0)), default=None
            )
            if peer is None or self._wants(peer, given.get(peer.id, 0)) <= 0:
                return
            if await self._sessions.hand_over(connection_id, peer.id):
                given[peer.id] = given.get(peer.id, 0) + 1
            await asyncio.sleep(PAUSE_SECONDS)

    def _wants(self, peer: Peer, given: int) -> int:
        """Return how many more another worker should have, when it was given so many."""
        return min(self._level, peer.capacity) - peer.load - given


def mark_dead_workers() -> list[Worker]:
    """Stop the workers of this machine whose processes have ended. Return the others."""
    alive = list(Worker.objects.alive())
    for worker in [worker for worker in alive if processes.is_gone(worker.process)]:
        logger.warning("a worker's process has ended", extra={"worker": worker.pk})
        actions.stop_worker(worker)
        alive.remove(worker)
    return alive


def _workers() -> tuple[list[Peer], int]:
    """Return the living workers with their loads, and how many connections need a worker."""
    busy = Connection.objects.busy()
    loads = dict(busy.order_by().values_list("worker").annotate(Count("pk")))
    alive = mark_dead_workers()
    peers = [
        Peer(worker.pk, loads.get(worker.pk, 0), worker.capacity, worker.draining_since is not None)
        for worker in alive
    ]
    return peers, sum(loads.values())
