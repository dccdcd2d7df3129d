"""A supervisor that holds its lease, without background tasks."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.db import connections

from connections.models import Worker
from connections.worker.supervisor import Supervisor
from messaging.port import Messages


@asynccontextmanager
async def supervisor_of(worker: Worker) -> AsyncIterator[Supervisor]:
    """The supervisor of one of several workers, with its lease held and no background tasks."""
    supervisor = Supervisor(Messages())
    supervisor.shared = True
    supervisor._lease.worker = worker
    supervisor._lease._ends_at = math.inf
    try:
        yield supervisor
    finally:
        await supervisor.task_runner.cancel_all()
        await supervisor.db(connections.close_all)
        supervisor._database.close()
