"""What a worker asks the database while nothing happens, and when it looks for work.

Its links, hosts and heartbeats are left out; waiting takes no time.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from connections import actions, broadcast
from connections.actions.activity import CONNECTION_TASKS
from connections.actions.bulk import BULK_RUNS
from connections.tests.support.skipping_time import run_skipping_time
from connections.worker import polling
from connections.worker import supervisor as supervisor_module
from connections.worker.clients import WorkerClients
from connections.worker.database import Database
from connections.worker.supervisor import Supervisor
from connections.worker.tasks.task_runner import TaskRunner
from messaging.port import Messages
from notices.actions.troubles import NOTICES
from removal.actions import REMOVALS
from whatsapp_orgs.management.duties import duties

# On PostgreSQL and Redis the same code has another safety poll.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]

ORGANIZATION = 7
MINUTE = 60.0
STATEMENTS_A_MINUTE = 60
NEVER = 100_000.0

LOOKS = {
    CONNECTION_TASKS: ("_find_work",),
    BULK_RUNS: ("advance_runs",),
    NOTICES: ("plan", "next_at"),
    REMOVALS: ("unfinished",),
    "messages": ("with_outgoing", "interrupted"),
    "read marks": ("pending_marks",),
    "media": ("media_to_fetch",),
    "maintenance": ("maintain",),
    "webhooks": ("claim", "follow_new_organizations"),
}
"""What is asked for each kind of work."""
OUTBOX_LOOKS = ("take_outgoing", "pending_marks")
CONNECTED_LOOKS = ("with_outgoing", "pending_marks", "maintain", "media_to_fetch")
# Some give others a moment before they look: see RECOVER_SECONDS.
AT_ONCE_SECONDS = 5.1


class Seen:
    """The functions of the database that were called, and the statements."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.functions: Counter[str] = Counter()
        self.statements = 0
        run_once, execute = Database.run_once, CursorWrapper.execute

        async def run(database: Database, function: Any, /, *arguments: object) -> Any:
            plain = function.func if isinstance(function, partial) else function
            self.functions[plain.__name__] += 1
            return await run_once(database, function, *arguments)

        def count(cursor: CursorWrapper, sql: Any, params: Any = None) -> Any:
            self.statements += 1
            return execute(cursor, sql, params)

        monkeypatch.setattr(Database, "run", run)
        monkeypatch.setattr(CursorWrapper, "execute", count)

    def reset(self) -> None:
        self.functions.clear()
        self.statements = 0


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    client = SimpleNamespace(connected=True)
    task = SimpleNamespace(client=client, store_name="", id=ORGANIZATION, fence=None)
    monkeypatch.setattr(TaskRunner, "tasks", property(lambda runner: {ORGANIZATION: task}))
    monkeypatch.setattr(WorkerClients, "make_template", wait_forever)
    monkeypatch.setattr(Messages, "take_outgoing", take_outgoing)
    return Seen(monkeypatch)


def take_outgoing(messages: Messages, fences: Sequence[Any]) -> dict[int, None]:
    """Find that nothing may leave for now."""
    return {ORGANIZATION: None}


async def wait_forever(clients: WorkerClients) -> None:
    await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def resting_worker() -> AsyncIterator[Supervisor]:
    """Run the background tasks of a worker, until they have all looked once."""
    own = duties()
    supervisor = Supervisor(Messages(), duties=own)
    supervisor._lease.worker = await supervisor.db(actions.start_worker, "w")
    supervisor._lease._ends_at = math.inf
    tasks = supervisor._start_background_tasks()
    try:
        await asyncio.sleep(MINUTE)
        yield supervisor
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(duty.close() for duty in own))
        databases = (
            supervisor._database,
            supervisor._outgoing_database,
            supervisor._upkeep_database,
        )
        for database in databases:
            await Database.run_once(database, connections.close_all)
            database.close()
        supervisor._lease.stop()


def turn_safety_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (polling, supervisor_module):
        monkeypatch.setattr(module, "SAFETY_SECONDS", NEVER)


def notify(function: Callable[..., None], *arguments: object) -> Any:
    """Call a function that notifies on commit, in a transaction, as a web process does."""
    return sync_to_async(transaction.atomic(function))(*arguments)


def test_worker_at_rest_asks_little_and_looks_for_all_within_the_safety_time(seen: Seen) -> None:
    async def rest() -> None:
        async with resting_worker():
            seen.reset()
            await asyncio.sleep(MINUTE)
            assert seen.statements <= STATEMENTS_A_MINUTE, seen.functions
            seen.reset()
            await asyncio.sleep(polling.SAFETY_SECONDS + AT_ONCE_SECONDS)
            missing = {name for names in LOOKS.values() for name in names} - seen.functions.keys()
            assert missing == set()

    run_skipping_time(rest)


def test_signal_of_each_kind_of_work_is_followed_at_once(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_safety_off(monkeypatch)

    async def signal() -> None:
        async with resting_worker() as supervisor:
            assert LOOKS.keys() == supervisor._wakers.keys()
            for kind, names in LOOKS.items():
                seen.reset()
                await asyncio.sleep(MINUTE)
                assert not any(seen.functions[name] for name in names), kind
                await notify(broadcast.notify_work, kind)
                await asyncio.sleep(AT_ONCE_SECONDS)
                assert all(seen.functions[name] for name in names), (kind, seen.functions)

    run_skipping_time(signal)


def test_signal_of_an_outbox_wakes_all_that_its_message_may_be_for(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_safety_off(monkeypatch)

    async def signal() -> None:
        async with resting_worker() as supervisor:
            seen.reset()
            await notify(broadcast.notify_outbox, ORGANIZATION)
            await asyncio.sleep(AT_ONCE_SECONDS)
            assert all(seen.functions[name] for name in OUTBOX_LOOKS), seen.functions
            # Another organization's is announced to its own worker.
            seen.reset()
            await notify(broadcast.notify_outbox, ORGANIZATION + 1)
            await asyncio.sleep(AT_ONCE_SECONDS)
            assert not any(seen.functions[name] for name in OUTBOX_LOOKS), seen.functions
            # And a client that connects: what waited for it is looked for.
            seen.reset()
            supervisor.traffic.handle_connected()
            await asyncio.sleep(AT_ONCE_SECONDS)
            assert all(seen.functions[name] for name in CONNECTED_LOOKS)

    run_skipping_time(signal)


def test_all_is_looked_for_while_signals_do_not_pass(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_safety_off(monkeypatch)
    passes = [True]
    monkeypatch.setattr(broadcast, "reaches_others", lambda: passes[0])

    async def outage() -> None:
        async with resting_worker() as supervisor:
            watching = asyncio.create_task(watch(supervisor))
            for outage in (False, True):
                passes[0] = not outage
                seen.reset()
                await asyncio.sleep(MINUTE)
                looked = {kind for kind in LOOKS if seen.functions[LOOKS[kind][0]] > 5}
                assert looked == (LOOKS.keys() if outage else set()), seen.functions
            watching.cancel()

    run_skipping_time(outage)


async def watch(supervisor: Supervisor) -> None:
    while True:
        await supervisor._polls.watch_signals()
