"""A fake of all that a worker's tasks use: database, stores, host processes, WhatsApp and time.

A task waits at a point: a call, its client, or time. Each point offers its possible answers, the
faultless one first, and a test takes one of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, TypeVar, cast

from django.conf import settings

from connections.actions import Superseded
from connections.models import Connection, ConnectionEvent, Worker
from connections.tests.support.fake_client import NUMBERS, FakeClient, Key
from connections.tests.support.fake_stores import FakeStores
from connections.tests.support.virtual_time import VirtualTimeLoop
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.handle import HostError
from connections.worker.tasks.context import TaskContext
from organizations.models import Organization

T = TypeVar("T")

SUCCEED = "go on"
TIME_PASSED = "waited"
UNEXPECTED_ERROR = RuntimeError("an error of our own")
FULL_DISK = OSError(28, "No space left on device")
# As often as a task tries.
PERMANENT_TRIES = 4
FAILURES: dict[str, Exception] = {
    "broke": UNEXPECTED_ERROR,
    "broke for good": UNEXPECTED_ERROR,
    "no disk": FULL_DISK,
    "no disk for good": FULL_DISK,
    "no host": HostError("no process"),
}
DATABASE_FAILURES = ("broke",)
STORE_FAILURES = ("no disk", "no disk for good", "broke")
HOST_FAILURES = ("no host", "broke", "broke for good")
# A client of a linked phone also needs a new spool on the disk.
CLIENT_FAILURES = (*HOST_FAILURES, "no disk", "no disk for good")


class Call:
    """A database, store or host call that a task waits for."""

    def __init__(
        self, world: World, perform: Callable[[], object], failures: tuple[str, ...]
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.kind, _, owner = task.get_name().rpartition(" ")
        self.owner = int(owner)
        self.done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._world = world
        self._perform = perform
        # Database calls of the supervisor never fail here.
        self._failures = () if self.kind == "supervisor" else failures

    def options(self) -> tuple[str, ...]:
        """Return the possible results."""
        answer, _ = self._world.failing_calls.get(self.owner, ("", 0))
        return (answer,) if answer in self._failures else (SUCCEED, *self._failures)

    def answer(self, answer: str) -> None:
        """Perform the call, or let it fail."""
        try:
            if answer != SUCCEED:
                self._world.count_failure(self.owner, answer)
                raise FAILURES[answer]
            result = self._perform()
        except AssertionError:
            raise  # The test failed, not the task.
        except Exception as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(result)


class Time:
    """A task that waits for time to pass."""

    def __init__(self, world: World) -> None:
        self._world = world

    def options(self) -> tuple[str, ...]:
        return (TIME_PASSED,)

    def answer(self, answer: str) -> None:
        self._world.wait()


class FakeHost:
    """A host process for one pairing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client: FakeClient | None = None

    def open(
        self, database: str, pairing: bool = False, spool: str = "", proxy: str = ""
    ) -> ClientHandle:
        organization, store = database.split(" ")
        self._client = self._world.start_client((int(organization), store), pairing)
        return self._client.handle

    def kill(self) -> None:
        if self._client is not None:
            self._client.kill()


class World:
    """The fake surroundings of one worker; also the `Clients` of its tasks' context."""

    current: ClassVar[World | None] = None  # the one whose time `timezone.now` returns

    def __init__(self, now: datetime) -> None:
        if World.current is not None:
            World.current.close()
        World.current = self
        self.loop = VirtualTimeLoop()
        self._started_at = now - timedelta(seconds=self.loop.time())
        self._killed = False
        self._calls: list[Call] = []
        self._clients: list[FakeClient] = []
        self._context: TaskContext | None = None
        self.backend = FakeStores()
        self.stores = self.backend.content
        self.damaged = self.backend.damaged
        # What these received is stored as their organization's.
        self.resumed: list[Key] = []
        self.devices: set[Key] = set()  # registered at WhatsApp
        self.banned: dict[Key, datetime] = {}  # to the end of the ban
        self.proxied: set[int] = set()  # organizations with a proxy of their own
        self.clear_faults()

    def clear_faults(self) -> None:
        """Remove all planned faults."""
        self.down_until: dict[int, datetime] = {}
        self.down_with: dict[int, str] = {}
        self.scripts: dict[int, deque[str]] = {}  # the results of the next dials
        self.failing_calls: dict[int, tuple[str, int]] = {}  # failure and remaining count

    def close(self) -> None:
        """Cancel all tasks and close the loop."""
        World.current = None
        self.kill_worker(self._cancel_tasks)
        self.loop.close()

    def _cancel_tasks(self) -> None:
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            if self.loop.run_until_idle() is not None:
                self.loop.advance_to_next_timer()

    # --- Time ------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self._started_at + timedelta(seconds=self.loop.time())

    def advance(self, seconds: float) -> None:
        """Advance the time."""
        self.loop.advance(seconds)

    def wait(self) -> None:
        """Advance the time to the next timer."""
        self.loop.advance_to_next_timer()

    # --- The context of tasks --------------------------------------------------------------------

    def context_for(self, worker: Worker) -> TaskContext:
        """Return a new context for a worker's tasks."""
        self._context = TaskContext(
            get_worker=lambda: worker,
            db=self._db,
            to_thread=self._to_thread,
            stores=self.backend,
            clients=self,
        )
        return self._context

    async def _db(self, function: Callable[..., T], /, *arguments: object) -> T:
        return await self._call(partial(function, *arguments), DATABASE_FAILURES)

    async def _to_thread(self, function: Callable[..., T], /, *arguments: object) -> T:
        # Changes are partials; reads do not raise OSError.
        failures = STORE_FAILURES if isinstance(function, partial) else ()
        return await self._call(partial(function, *arguments), failures)

    async def _call(self, perform: Callable[[], T], failures: tuple[str, ...]) -> T:
        if self._killed:
            raise Superseded
        call = Call(self, perform, failures)
        self._calls.append(call)
        try:
            return cast(T, await call.done)
        finally:
            self._calls.remove(call)

    async def find_proxy(self, connection_id: int) -> str:
        return "http://proxy.example:3128" if connection_id in self.proxied else ""

    async def open(
        self, connection_id: int, store: str, dedicated: bool = False, proxy: str = ""
    ) -> ClientHandle:
        self.resumed.append((connection_id, store))
        start = partial(self.start_client, (connection_id, store), pairing=False)
        return (await self._call(start, CLIENT_FAILURES)).handle

    def evict(self, connection_id: int, store: str) -> bool:
        return False

    def pairing_spool(self, connection_id: int, store: str) -> str:
        return ""

    async def take_host(self) -> FakeHost:
        return await self._call(partial(FakeHost, self), HOST_FAILURES)

    def store_template(self) -> bytes:
        return b""

    def start_client(self, key: Key, pairing: bool) -> FakeClient:
        """Start a client. Assert that no known ban forbids it."""
        until = self.banned.get(key, self.now)
        if self.now < until:
            # A ban during a newer request is not recorded, so the task cannot know it.
            banned = ConnectionEvent.objects.filter(connection=key[0])
            written = banned.filter(detail__contains=f"until {until:%Y-%m-%d %H:%M} UTC").exists()
            assert not written, f"login during a ban: {key}"
        others = [client for client in self._open_clients(key[0]) if client.key == key]
        assert all(client.state == "closing" for client in others), f"two clients of {key}"
        client = FakeClient(self, key, pairing)
        self._clients.append(client)
        return client

    # --- Control by tests ------------------------------------------------------------------------

    def points(self, organization: int) -> list[Call | FakeClient | Time]:
        """Return the points at which the tasks of an organization wait, oldest first."""
        self.loop.run_until_idle()
        calls = [call for call in self._calls if call.owner == organization]
        calls.sort(key=lambda call: call.kind != "supervisor")
        clients = [client for client in self._open_clients(organization) if client.options()]
        return [*calls, *clients] or [Time(self)]

    def take(self, organization: int, answer: str = "") -> bool:
        """Take one answer: this one where it is offered, else the first faultless one.

        Return whether it was a call, which may have changed the database.
        """
        points = self.points(organization)
        point = next((point for point in points if answer in point.options()), points[0])
        options = point.options()
        point.answer(answer if answer in options else options[0])
        self.loop.run_until_idle()
        return isinstance(point, Call)

    def is_idle(self, organization: int) -> bool:
        """Return whether the organization's tasks only hold a stable link."""
        points = self.points(organization)
        return all(isinstance(point, FakeClient) and point.idle for point in points)

    def kill_worker(self, drop: Callable[[], object]) -> None:
        """Kill the worker at any point; `drop` cancels its tasks."""
        self._killed = True
        for client in self._clients:
            client.kill()
        drop()
        assert not self._calls, self._calls
        self._clients.clear()
        self._killed = False

    def count_failure(self, organization: int, answer: str) -> None:
        """Count a failure that repeats until the task gives up."""
        if answer.endswith("for good"):
            _, left = self.failing_calls.get(organization, ("", PERMANENT_TRIES))
            self.failing_calls[organization] = (answer, left - 1)
            if left == 1:
                del self.failing_calls[organization]

    def _open_clients(self, organization: int) -> Iterator[FakeClient]:
        self._clients = [client for client in self._clients if client.state != "over"]
        return (client for client in self._clients if client.key[0] == organization)

    # --- Data ------------------------------------------------------------------------------------

    def remove(self, organization: int, only: str) -> None:
        """Remove one store of an organization."""
        self.backend.remove(organization, only=only)

    def allowed_number(self, organization: int) -> str:
        """Return the number of a phone that this organization may link."""
        expected = Organization.objects.get(pk=organization).expected_number
        others = Connection.objects.exclude(pk=organization).exclude(store_name="")
        taken = set(others.values_list("number", flat=True))
        return expected or next(number for number in NUMBERS if number not in taken)

    def refuse_for_long(self, organization: int) -> None:
        """Set the start of the refusals so far back that the next one counts as long."""
        assert self._context is not None
        since = self.loop.time() - settings.LOGIN_REFUSED_LONG_SECONDS
        self._context.stability[organization].refused_since = since
