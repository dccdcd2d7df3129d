"""Balances connections among workers: each worker takes a fair share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count

from connections import actions, broadcast
from connections.models import Connection, Worker
from connections.worker import process_liveness
from connections.worker.tasks.context import TaskContext
from connections.worker.tasks.task_runner import TaskRunner

logger = logging.getLogger(__name__)

# A connection is offline while it moves, so a few move at once and not for a small difference. Each
# takes a second or more, until nothing comes in any more (child/receiver.py).
MOVES_AT_ONCE = 10
MOVE_PAUSE_SECONDS = 0.05
MAX_MOVES = 40
TOLERATED_EXCESS = 0.1


@dataclass(frozen=True)
class Peer:
    """A living worker."""

    id: int
    load: int
    capacity: int
    draining: bool


def fair_share(total: int, capacities: Collection[int]) -> int:
    """Return how many connections each worker takes, as far as its capacity allows.

    This is the smallest limit at which all `total` are taken, or the largest capacity.
    """
    share, left, rest = 0, total, sorted(capacities)
    while rest and left > 0:
        step = min(rest[0] - share, -(-left // len(rest)))
        share += step
        left -= step * len(rest)
        rest = [capacity for capacity in rest if capacity > share]
    return share


class Balancer:
    """Reads the load of all workers and hands excess connections over to others."""

    def __init__(self, context: TaskContext, task_runner: TaskRunner) -> None:
        self._context = context
        self._task_runner = task_runner
        self.target = 0  # how many connections this worker should have
        self.draining = False
        self._peers: list[Peer] = []
        self._share = 0
        self._known: object = None  # what the last round has seen of all workers
        self._is_unfinished = False  # connections are left to hand over

    @property
    def free_slots(self) -> int:
        """Return how many more unowned connections this worker should take."""
        return 0 if self.draining else max(0, self.target - self._task_runner.load)

    @property
    def max_claims(self) -> int:
        """Return how many unowned connections to try to claim: others may be faster."""
        return self.free_slots * (len(self._peers) + 1)

    @property
    def accepts_urgent(self) -> bool:
        """Return whether it takes a connection that a person waits for, beyond its fair share."""
        return not self.draining and self._task_runner.load < settings.WORKER_CAPACITY

    async def run_once(self) -> bool:
        """Hand over excess connections. Return whether a worker came, went or changed its load.

        Otherwise that takes one query of a small table, unlike the loads.
        """
        living = await self._context.db(mark_dead_workers)
        now = (
            self._task_runner.load,
            {
                (worker.pk, worker.capacity, worker.draining_since, worker.sessions)
                for worker in living
            },
        )
        changed, self._known = now != self._known, now
        if changed or self._is_unfinished:
            await self.refresh()
            # Without signals the next owner would notice a link only at its next poll.
            passes = broadcast.reaches_others()
            self._is_unfinished = await self.hand_over_excess() if passes else True
        return changed

    async def refresh(self) -> None:
        """Read the living workers and the load of each."""
        worker = self._context.get_worker()
        found, total = await self._context.db(read_workers)
        own = next((peer for peer in found if peer.id == worker.pk), None)
        if own is None:
            return  # The heartbeat came too late; the lease is about to end.
        self._peers = [peer for peer in found if peer is not own and not peer.draining]
        takers = self._peers if own.draining else [own, *self._peers]
        self._share = fair_share(total, [peer.capacity for peer in takers])
        if own.draining != self.draining:
            logger.info("the worker drains" if own.draining else "the worker stopped draining")
        self.draining = own.draining
        self.target = 0 if own.draining else min(self._share, own.capacity)
        self._context.connect_limiter.workers = len(found)

    @property
    def can_hand_over(self) -> bool:
        """Return whether another worker can take connections over now."""
        return any(self._free_share(peer) > 0 for peer in self._peers)

    async def hand_over_excess(self) -> bool:
        """Hand excess connections over to the least loaded workers, a few at once.

        Return whether there were any.
        """
        movable = self._task_runner.movable(everything=self.draining)
        load = self._task_runner.load
        tolerance = 0 if self.draining else max(1, int(self.target * TOLERATED_EXCESS))
        excess = load - self.target
        # Fixed for this round: a `refresh` meanwhile counts what has moved already.
        room = {peer.id: self._free_share(peer) for peer in self._peers}
        if excess <= 0 or max([excess, *room.values()]) <= tolerance:
            return False
        # A small worker has the time to keep most of its links while some move.
        slots = asyncio.Semaphore(max(1, min(MOVES_AT_ONCE, excess // 4)))
        moves = [
            self._move(connection_id, room, slots)
            for connection_id in movable[: min(excess, MAX_MOVES)]
        ]
        for error in await asyncio.gather(*moves, return_exceptions=True):
            if error is not None:
                raise error
        return True

    async def _move(
        self, connection_id: int, room: dict[int, int], slots: asyncio.Semaphore
    ) -> None:
        """Hand a connection over to the least loaded worker, if one has room.

        `room`: how many more connections each worker should take.
        """
        async with slots:
            to = max(room, key=room.__getitem__, default=None)
            if to is None or room[to] <= 0:
                return
            room[to] -= 1
            if not await self._task_runner.hand_over(connection_id, to):
                room[to] += 1
            await asyncio.sleep(MOVE_PAUSE_SECONDS)

    def _free_share(self, peer: Peer) -> int:
        """Return how many more connections a worker should take."""
        return min(self._share, peer.capacity) - peer.load


def mark_dead_workers() -> list[Worker]:
    """Stop the workers of this machine whose processes have ended. Return the others."""
    alive = list(Worker.objects.alive())
    for worker in [worker for worker in alive if process_liveness.has_ended(worker.process)]:
        logger.warning("a worker process has ended", extra={"worker": worker.pk})
        actions.stop_worker(worker)
        alive.remove(worker)
    return alive


def read_workers() -> tuple[list[Peer], int]:
    """Return the living workers with their loads, and the number of connections that need one."""
    busy = Connection.objects.busy()
    loads = dict(busy.order_by().values_list("worker").annotate(Count("pk")))
    alive = mark_dead_workers()
    peers = [
        Peer(worker.pk, loads.get(worker.pk, 0), worker.capacity, worker.draining_since is not None)
        for worker in alive
    ]
    return peers, sum(loads.values())
