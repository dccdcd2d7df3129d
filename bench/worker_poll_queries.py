"""The rows and the queries of `bench.worker_polls`; `manage.py shell` imports it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import connection as database
from django.utils import timezone

from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, Worker
from connections.worker.balancing import mark_dead_workers, read_workers
from connections.worker.pending_work import pending_connections, unowned_connections
from messaging.actions.dispatch import with_outgoing
from messaging.models import Outbox
from organizations.models import Organization

EACH, ROUNDS, BATCH = 1000, 20, 5000


def measure(size: int) -> None:
    """Fill the database up to `size` organizations, and print the least times as JSON."""
    _fill(size)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")
    Worker.objects.update(heartbeat_at=timezone.now() + timedelta(minutes=10))
    worker = Worker.objects.earliest("pk")
    own = frozenset(Connection.objects.filter(worker=worker).values_list("pk", flat=True))
    assert len(own) == min(EACH, size)
    queries: dict[str, Callable[[], object]] = {
        "the living workers, every 2 s": mark_dead_workers,
        "own connections with work, every 5 s": lambda: pending_connections(worker, own),
        "connections without a worker, every 5 s": unowned_connections,
        "all workers and their loads, every 5 s": read_workers,
        "own outboxes, every 10 s": lambda: with_outgoing(own),
    }
    print(json.dumps({name: _least(query) for name, query in queries.items()}))


def _fill(size: int) -> None:
    known = Organization.objects.count()
    names = [f"Padaria Estrela {number}" for number in range(known, size)]
    rows = [Organization(name=name, folded_name=name.lower()) for name in names]
    Organization.objects.bulk_create(rows, BATCH)
    workers = list(Worker.objects.order_by("pk"))
    while len(workers) * EACH < size:
        workers.append(Worker.objects.create(name=f"worker-{len(workers)}", capacity=EACH))
    fresh = [
        Connection(
            organization=row,
            desired=Desired.CONNECTED,
            state=State.CONNECTED,
            reason=Reason.LINKED,
            store_name="attempt_1",
            number=f"55{number:010d}",
            worker=workers[number // EACH],
        )
        for number, row in enumerate(rows, known)
    ]
    Connection.objects.bulk_create(fresh, BATCH)
    Outbox.objects.bulk_create([Outbox(organization=row) for row in rows], BATCH)


def _least(query: Callable[[], object]) -> tuple[float, float]:
    """Return the least time and the least CPU of this process, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        started, spent = time.perf_counter(), time.process_time()
        query()
        times.append((time.perf_counter() - started, time.process_time() - spent))
    return 1000 * min(at for at, _ in times), 1000 * min(cpu for _, cpu in times)
