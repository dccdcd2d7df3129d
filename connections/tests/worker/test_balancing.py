"""Several workers on one database: claims, handovers and fair shares."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Collection
from datetime import timedelta
from typing import Any, cast

import pytest
from django.db import connections as databases
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from connections import actions
from connections.actions import Superseded
from connections.lifecycle import Reason, State
from connections.models import Connection, Worker
from connections.tests.support.fake_worker import NUMBER, FakeWorker, nobody
from connections.tests.support.virtual_time import run_in_virtual_time
from connections.worker.balancing import MOVES_AT_ONCE, Balancer, Peer, fair_share
from connections.worker.pending_work import pending_connections, unowned_connections
from organizations.access import Actor
from organizations.models import Organization

ALICE = Actor("alice")


@pytest.fixture
def second(hand: FakeWorker) -> FakeWorker:
    """Another worker beside the first one."""
    return FakeWorker(alone=False)


@pytest.fixture
def linked(connection: Connection, hand: FakeWorker) -> Connection:
    actions.request_reconnect(connection.pk, ALICE)
    hand.link(connection)
    return reread(connection)


def reread(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


# --- Who may claim --------------------------------------------------------------------------------


def test_connection_of_a_living_worker_cannot_be_claimed(
    linked: Connection, second: FakeWorker
) -> None:
    before = reread(linked)
    assert actions.claim(linked.pk, second.worker, nobody) is None
    after = reread(linked)
    assert (after.worker_id, after.claim) == (before.worker_id, before.claim)


def test_connection_of_a_dead_worker_is_claimed_and_its_writes_refused(
    linked: Connection, hand: FakeWorker, second: FakeWorker
) -> None:
    old = hand.claim(linked)
    hand.die()
    claimed = actions.claim(linked.pk, second.worker, nobody)
    assert claimed is not None and claimed.worker_id == second.worker.pk
    assert reread(linked).reason == Reason.SERVICE_RESTARTED
    with pytest.raises(Superseded):
        actions.record_event(old, Reason.RESUMED)
    assert reread(linked).state == State.RECONNECTING


def test_late_heartbeat_keeps_nothing(hand: FakeWorker, second: FakeWorker) -> None:
    assert actions.heartbeat(hand.worker, alone=False)
    hand.die()
    assert not actions.heartbeat(hand.worker, alone=False)
    assert list(Worker.objects.alive()) == [second.worker]


def test_full_worker_claims_only_what_a_person_waits_for(
    linked: Connection, hand: FakeWorker, second: FakeWorker
) -> None:
    hand.die()
    assert actions.claim(linked.pk, second.worker, nobody, room=False) is None
    actions.request_disconnect(linked.pk, ALICE)
    assert actions.claim(linked.pk, second.worker, nobody, room=False, urgent=False) is None
    assert actions.claim(linked.pk, second.worker, nobody, room=False) is not None


@pytest.mark.django_db(transaction=True)
def test_one_of_many_simultaneous_claims_succeeds(connection: Connection) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    workers = [actions.start_worker(f"worker {n}", alone=False) for n in range(6)]
    begin, got = threading.Barrier(len(workers)), []

    def claim(worker: Worker) -> None:
        begin.wait(10)
        try:
            got.append(actions.claim(connection.pk, worker, nobody))
        finally:
            databases.close_all()

    threads = [threading.Thread(target=claim, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    winners = [claimed for claimed in got if claimed is not None]
    assert len(got) == len(workers) and len(winners) == 1
    after = reread(connection)
    assert (after.worker_id, after.claim) == (winners[0].worker_id, 1)


# --- Handing over ---------------------------------------------------------------------------------


def test_handed_over_link_adds_no_event(
    linked: Connection, hand: FakeWorker, second: FakeWorker
) -> None:
    fence, lines = hand.claim(linked), linked.events.count()
    assert actions.hand_over(linked.pk, hand.worker, second.worker.pk, nobody)
    after = reread(linked)
    assert (after.worker_id, after.claim) == (second.worker.pk, fence.claim + 1)
    assert (after.state, after.number) == (State.CONNECTED, NUMBER)
    assert linked.events.count() == lines
    with pytest.raises(Superseded):
        actions.record_event(fence, Reason.LINK_LOST)
    assert pending_connections(second.worker, frozenset()) == [linked.pk]


def test_handed_over_pairing_starts_again(
    connection: Connection, hand: FakeWorker, second: FakeWorker
) -> None:
    actions.request_reconnect(connection.pk, ALICE)
    hand.show_code(connection)
    assert actions.hand_over(connection.pk, hand.worker, second.worker.pk, nobody)
    after = reread(connection)
    assert (after.state, after.reason) == (State.CONNECTING, Reason.CODE_LOST)
    assert pending_connections(second.worker, frozenset()) == [connection.pk]


def test_only_the_owner_hands_over_and_only_to_a_living_worker(
    linked: Connection, hand: FakeWorker, second: FakeWorker
) -> None:
    before = reread(linked)
    assert not actions.hand_over(linked.pk, second.worker, hand.worker.pk, nobody)
    second.die()
    assert not actions.hand_over(linked.pk, hand.worker, second.worker.pk, nobody)
    assert (reread(linked).worker_id, reread(linked).claim) == (before.worker_id, before.claim)


def test_draining_is_stored_and_can_be_cancelled(hand: FakeWorker) -> None:
    actions.drain_worker(hand.worker.pk)
    hand.worker.refresh_from_db()
    assert hand.worker.draining_since is not None and hand.worker.alive
    actions.drain_worker(hand.worker.pk, drain=False)
    hand.worker.refresh_from_db()
    assert hand.worker.draining_since is None


class SlowRunner:
    """Has connections whose sockets take a second to close."""

    def __init__(self, count: int, refused: Collection[int] = ()) -> None:
        self.left = list(range(count))
        self._refused = refused
        self.closing = self.most_at_once = 0
        self.handed: Counter[int] = Counter()

    @property
    def load(self) -> int:
        return len(self.left)

    def movable(self, everything: bool) -> list[int]:
        return [*self.left]

    async def hand_over(self, connection_id: int, to: int) -> bool:
        self.closing += 1
        self.most_at_once = max(self.most_at_once, self.closing)
        await asyncio.sleep(1)
        self.closing -= 1
        if connection_id in self._refused:
            return False
        self.left.remove(connection_id)
        self.handed[to] += 1
        return True


def drained(runner: SlowRunner, *peers: Peer) -> Balancer:
    balancer = Balancer(cast(Any, None), cast(Any, runner))
    balancer.draining, balancer._peers, balancer._share = True, [*peers], 100
    return balancer


@pytest.mark.parametrize("count, at_once", [(3, 1), (20, 5), (40, MOVES_AT_ONCE)])
def test_drained_worker_hands_a_few_over_at_once_and_each_to_the_least_loaded(
    count: int, at_once: int
) -> None:
    runner = SlowRunner(count, refused={0})
    balancer = drained(runner, Peer(1, 50, 100, False), Peer(2, 60, 100, False))

    async def run() -> None:
        async with asyncio.timeout(5):
            assert await balancer.hand_over_excess()

    run_in_virtual_time(run)
    assert runner.left == [0], "its task could not be interrupted"
    assert runner.most_at_once == at_once
    assert runner.handed.total() == count - 1 and runner.handed[1] >= runner.handed[2]


def test_handover_ends_where_no_worker_has_room() -> None:
    runner = SlowRunner(20)
    balancer = drained(runner, Peer(1, 95, 100, False))
    run_in_virtual_time(lambda: cast(Any, balancer.hand_over_excess()))
    assert runner.handed[1] == 5


def test_loads_that_are_read_during_a_handover_end_it_no_earlier() -> None:
    runner = SlowRunner(8)
    balancer = drained(runner, Peer(1, 92, 100, False))

    async def run() -> None:
        handover = asyncio.create_task(balancer.hand_over_excess())
        await asyncio.sleep(2.5)
        assert runner.handed[1] == 4
        balancer._peers = [Peer(1, 96, 100, False)]  # As `refresh` does.
        assert await handover

    run_in_virtual_time(run)
    assert runner.left == []


# --- Connections without --------------------------------------------------------------------------


def test_connection_without_worker_is_unowned_only_if_it_needs_one(
    connection: Connection, other_organization: Organization, hand: FakeWorker, second: FakeWorker
) -> None:
    Connection.objects.of(other_organization)  # never connected: nothing to do
    assert unowned_connections() == ([], [])
    actions.request_reconnect(connection.pk, ALICE)
    assert unowned_connections() == ([connection.pk], [])
    hand.link(connection)
    assert unowned_connections() == ([], [])
    hand.die()
    assert unowned_connections() == ([], [connection.pk])
    Organization.objects.filter(pk=connection.pk).update(deactivated_at=timezone.now())
    assert unowned_connections() == ([], [])


def test_running_connection_of_another_worker_is_pending(
    linked: Connection, hand: FakeWorker, second: FakeWorker
) -> None:
    running = frozenset({linked.pk})
    assert pending_connections(hand.worker, running) == []
    actions.hand_over(linked.pk, hand.worker, second.worker.pk, nobody)
    assert pending_connections(hand.worker, running) == [linked.pk]


def test_worker_that_lost_its_lease_registers_as_a_new_one(
    linked: Connection, hand: FakeWorker, second: FakeWorker
) -> None:
    again = actions.start_worker("hand", 10, alone=False, replaces=hand.worker)
    assert set(Worker.objects.alive()) == {second.worker, again}
    assert unowned_connections() == ([], [linked.pk])


def test_old_workers_are_deleted(hand: FakeWorker) -> None:
    long_ago = timezone.now() - timedelta(days=8)
    old = Worker.objects.create(name="old", heartbeat_at=long_ago, stopped_at=long_ago)
    actions.start_worker("new", alone=False)
    assert not Worker.objects.filter(pk=old.pk).exists()


# --- Fair shares ----------------------------------------------------------------------------------


@given(st.integers(0, 5000), st.lists(st.integers(1, 2000), max_size=12))
def test_fair_share_is_the_least_that_takes_all(total: int, capacities: list[int]) -> None:
    def taken(share: int) -> int:
        return sum(min(share, capacity) for capacity in capacities)

    share = fair_share(total, capacities)
    assert 0 <= share <= max(capacities, default=0)
    assert taken(share) >= min(total, sum(capacities))
    if share:
        assert taken(share - 1) < total


@pytest.mark.parametrize(
    ("total", "capacities", "share"),
    [(60, [100, 100, 100], 20), (61, [100, 100, 100], 21), (60, [10, 100], 50), (9, [], 0)],
)
def test_fair_shares(total: int, capacities: list[int], share: int) -> None:
    assert fair_share(total, capacities) == share
