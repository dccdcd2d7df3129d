"""How workers share the organizations: each its fair part, and no one's socket twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Count

from connections import actions
from connections.models import Connection, Worker
from connections.worker import processes

if TYPE_CHECKING:
    from connections.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)

ROUND_SECONDS = 3.0
# Each is offline for a moment while it moves: one after the other, and not for a small difference.
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
    """So many organizations each worker takes, or as many as it can when that is less.

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
    """This worker's view of the others, and what it hands over to them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.target = 0  # as many as this worker should have
        self.draining = False
        self._peers: list[Peer] = []
        self._level = 0

    @property
    def room(self) -> int:
        """How many more of those that nobody has this worker should take."""
        return 0 if self.draining else max(0, self.target - self._supervisor.sessions.load)

    @property
    def tries(self) -> int:
        """How many of those that nobody has are worth a try: others may get there first."""
        return self.room * (len(self._peers) + 1)

    @property
    def has_place(self) -> bool:
        """Whether it takes one that a person waits for, even beyond its fair part."""
        return not self.draining and self._supervisor.sessions.load < settings.WORKER_CAPACITY

    async def round(self) -> None:
        """Look at the others, and hand over what is too much here."""
        await self.look()
        await self.hand_over()
        await asyncio.sleep(ROUND_SECONDS)

    async def look(self) -> None:
        """Read who lives and who has what."""
        worker = self._supervisor.worker
        found, total = await self._supervisor.db(_workers)
        own = next((peer for peer in found if peer.id == worker.pk), None)
        if own is None:
            return  # The heartbeat came too late; the lease says so any moment.
        self._peers = [peer for peer in found if peer is not own and not peer.draining]
        takers = self._peers if own.draining else [own, *self._peers]
        self._level = fair_level(total, [peer.capacity for peer in takers])
        if own.draining != self.draining:
            logger.info("draining" if own.draining else "draining no more")
        self.draining = own.draining
        self.target = 0 if own.draining else min(self._level, own.capacity)
        self._supervisor.connect_limiter.workers = len(found)

    @property
    def has_takers(self) -> bool:
        """Whether anybody could take over something at the moment."""
        return any(self._wants(peer, 0) > 0 for peer in self._peers)

    async def hand_over(self) -> None:
        """Give what is too much here to those who have least, one after the other."""
        sessions = self._supervisor.sessions.movable(everything=self.draining)
        load = self._supervisor.sessions.load
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
            if await self._supervisor.sessions.hand_over(connection_id, peer.id):
                given[peer.id] = given.get(peer.id, 0) + 1
            await asyncio.sleep(PAUSE_SECONDS)

    def _wants(self, peer: Peer, given: int) -> int:
        """How many more another worker should have."""
        return min(self._level, peer.capacity) - peer.load - given


def mark_dead_workers() -> list[Worker]:
    """Those of this machine whose processes have ended count no more. Returns the others."""
    alive = list(Worker.objects.alive())
    for worker in [worker for worker in alive if processes.is_gone(worker.process)]:
        logger.warning("a worker's process has ended", extra={"worker": worker.pk})
        actions.stop_worker(worker)
        alive.remove(worker)
    return alive


def _workers() -> tuple[list[Peer], int]:
    """The living workers with what they have, and how many connections there are to be had."""
    busy = Connection.objects.busy()
    loads = dict(busy.order_by().values_list("worker").annotate(Count("pk")))
    alive = mark_dead_workers()
    peers = [
        Peer(worker.pk, loads.get(worker.pk, 0), worker.capacity, worker.draining_since is not None)
        for worker in alive
    ]
    return peers, sum(loads.values())
