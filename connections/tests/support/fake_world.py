"""All that the tasks of one worker reach: database, stores, host processes, WhatsApp and time.

Whatever a task waits for is a point: a call, its client, or time. Each offers the answers that may
come there, the faultless one first, and a test takes one of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, TypeVar, cast

from django.conf import settings

from connections.actions import Superseded
from connections.models import Connection, ConnectionEvent, Worker
from connections.stores import StoreBackend, StoreDamaged
from connections.tests.support.fake_client import NUMBERS, FakeClient, Key
from connections.tests.support.virtual_time import VirtualTimeLoop
from connections.worker.hosts.client import Link
from connections.worker.hosts.handle import HostBroken
from connections.worker.tasks.context import TaskContext
from organizations.models import Organization

T = TypeVar("T")

GO_ON = "go on"
WAITED = "waited"
BROKE = RuntimeError("an error of our own")
FULL_DISK = OSError(28, "No space left on device")
# As often as a task tries again.
FOR_GOOD = 4
FAILURES: dict[str, Exception] = {
    "broke": BROKE,
    "broke for good": BROKE,
    "no disk": FULL_DISK,
    "no disk for good": FULL_DISK,
    "no host": HostBroken("no process"),
}
DATABASE_FAILURES = ("broke",)
STORE_FAILURES = ("no disk", "no disk for good", "broke")
HOST_FAILURES = ("no host", "broke", "broke for good")


class Call:
    """A call that a task waits for."""

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
        # What the supervisor asks the database never fails here.
        self._failures = () if self.kind == "supervisor" else failures

    def options(self) -> tuple[str, ...]:
        """Return what may come of it."""
        answer, _ = self._world.broken.get(self.owner, ("", 0))
        return (answer,) if answer in self._failures else (GO_ON, *self._failures)

    def answer(self, answer: str) -> None:
        """Perform it, or let it fail."""
        try:
            if answer != GO_ON:
                self._world.note_failure(self.owner, answer)
                raise FAILURES[answer]
            result = self._perform()
        except AssertionError:
            raise  # It is the test that fails, not the task.
        except Exception as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(result)


class Time:
    """A task waits until some time has passed."""

    def __init__(self, world: World) -> None:
        self._world = world

    def options(self) -> tuple[str, ...]:
        return (WAITED,)

    def answer(self, answer: str) -> None:
        self._world.wait()


class FakeStores(StoreBackend):
    """The stores of credentials: what `auth_sessions` says of a place."""

    def __init__(self, world: World) -> None:
        self._world = world

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def check(self) -> None:
        """Do nothing: each store has a key of its own."""

    def database(self, organization_id: int, store: str) -> str:
        return store

    def create(self, organization_id: int, store: str, template: bytes = b"") -> str:
        self._world.remove(organization_id, only=store)
        self._world.stores[organization_id, store] = ""
        return f"{organization_id} {store}"

    def exists(self, organization_id: int, store: str) -> bool:
        return (organization_id, store) in self._world.stores

    def linked_number(self, organization_id: int, store: str) -> str:
        if (organization_id, store) in self._world.damaged:
            raise StoreDamaged
        return self._world.stores.get((organization_id, store), "")

    def organizations(self) -> set[int]:
        return {organization for organization, _ in self._world.stores}

    def stores(self, organization_id: int) -> set[str]:
        return {
            store for organization, store in self._world.stores if organization == organization_id
        }

    def discard(self, organization_id: int, store: str) -> None:
        self._world.remove(organization_id, only=store)

    def discard_others(self, organization_id: int, keep: Collection[str]) -> None:
        self._world.remove(organization_id, keep)

    def delete(self, organization_id: int) -> bool:
        found = bool(self.stores(organization_id))
        self._world.remove(organization_id)
        return found


class FakeHost:
    """A host process for one pairing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client: FakeClient | None = None

    def open(self, database: str, pairing: bool = False) -> Link:
        organization, store = database.split(" ")
        self._client = self._world.start_client((int(organization), store), pairing)
        return self._client.link

    def kill(self) -> None:
        if self._client is not None:
            self._client.kill()


class World:
    """One worker's surroundings. `Clients` of the tasks' context, too."""

    current: ClassVar[World | None] = None  # whose time it is

    def __init__(self, now: datetime) -> None:
        if World.current is not None:
            World.current.close()
        World.current = self
        self.loop = VirtualTimeLoop()
        self._start = now - timedelta(seconds=self.loop.time())
        self._dead = False
        self._calls: list[Call] = []
        self._clients: list[FakeClient] = []
        self._context: TaskContext | None = None
        self.stores: dict[Key, str] = {}  # and the number in it, "" before a phone is linked
        self.damaged: set[Key] = set()
        self.devices: set[Key] = set()  # that WhatsApp knows
        self.banned: dict[Key, datetime] = {}  # and until when
        self.heal()

    def heal(self) -> None:
        """From now on nothing fails that a test does not ask for."""
        self.down_until: dict[int, datetime] = {}
        self.scripts: dict[int, deque[str]] = {}  # what the next dials come to
        self.broken: dict[int, tuple[str, int]] = {}  # what fails, and how often it still does

    def close(self) -> None:
        """End all tasks, and the time."""
        World.current = None
        self.kill_everything(self._cancel_tasks)
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
        return self._start + timedelta(seconds=self.loop.time())

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.advance(seconds)

    def wait(self) -> None:
        """Let the time pass until something happens by itself."""
        self.loop.advance_to_next_timer()

    # --- What tasks use --------------------------------------------------------------------------

    def context_for(self, worker: Worker) -> TaskContext:
        """Return the context of a worker's tasks, where nothing is remembered yet."""
        self._context = TaskContext(
            get_worker=lambda: worker,
            db=self._db,
            to_thread=self._to_thread,
            stores=FakeStores(self),
            clients=self,
        )
        return self._context

    async def _db(self, function: Callable[..., T], /, *arguments: object) -> T:
        return await self._call(partial(function, *arguments), DATABASE_FAILURES)

    async def _to_thread(self, function: Callable[..., T], /, *arguments: object) -> T:
        # Changes come as a partial; what only reads does not raise OSError.
        failures = STORE_FAILURES if isinstance(function, partial) else ()
        return await self._call(partial(function, *arguments), failures)

    async def _call(self, perform: Callable[[], T], failures: tuple[str, ...]) -> T:
        if self._dead:
            raise Superseded
        call = Call(self, perform, failures)
        self._calls.append(call)
        try:
            return cast(T, await call.done)
        finally:
            self._calls.remove(call)

    async def open(self, connection_id: int, store: str, alone: bool = False) -> Link:
        start = partial(self.start_client, (connection_id, store), pairing=False)
        return (await self._call(start, HOST_FAILURES)).link

    def evict(self, connection_id: int, store: str) -> bool:
        return False

    async def take_host(self) -> FakeHost:
        return await self._call(partial(FakeHost, self), HOST_FAILURES)

    def blank_store(self) -> bytes:
        return b""

    def start_client(self, key: Key, pairing: bool) -> FakeClient:
        """Start a client. During a ban WhatsApp must not be tried with a store."""
        until = self.banned.get(key, self.now)
        if self.now < until:
            # A ban that came in the very moment of another request was not seen by anyone.
            banned = ConnectionEvent.objects.filter(connection=key[0])
            written = banned.filter(detail__contains=f"until {until:%Y-%m-%d %H:%M} UTC").exists()
            assert not written, f"tried during a ban: {key}"
        others = [client for client in self._open_clients(key[0]) if client.key == key]
        assert all(client.state == "closing" for client in others), f"two clients of {key}"
        client = FakeClient(self, key, pairing)
        self._clients.append(client)
        return client

    # --- What a test does ------------------------------------------------------------------------

    def points(self, organization: int) -> list[Call | FakeClient | Time]:
        """Return what the tasks of an organization wait for, the first one first."""
        self.loop.run_until_idle()
        calls = [call for call in self._calls if call.owner == organization]
        calls.sort(key=lambda call: call.kind != "supervisor")
        clients = [client for client in self._open_clients(organization) if client.options()]
        return [*calls, *clients] or [Time(self)]

    def take(self, organization: int, answer: str = "") -> bool:
        """Let one thing happen: this answer where it is offered, else the first faultless one.

        Return whether it was a call, which may have written something.
        """
        points = self.points(organization)
        point = next((point for point in points if answer in point.options()), points[0])
        options = point.options()
        point.answer(answer if answer in options else options[0])
        self.loop.run_until_idle()
        return isinstance(point, Call)

    def is_held(self, organization: int) -> bool:
        """Return whether nothing is to be done but to hold the link."""
        points = self.points(organization)
        return all(isinstance(point, FakeClient) and point.rests for point in points)

    def kill_everything(self, drop: Callable[[], object]) -> None:
        """End the worker in the middle of whatever it does; `drop` cancels its tasks."""
        self._dead = True
        for client in self._clients:
            client.kill()
        drop()
        assert not self._calls, self._calls
        self._clients.clear()
        self._dead = False

    def note_failure(self, organization: int, answer: str) -> None:
        """Remember how often something fails still."""
        if answer.endswith("for good"):
            _, left = self.broken.get(organization, ("", FOR_GOOD))
            self.broken[organization] = (answer, left - 1)
            if left == 1:
                del self.broken[organization]

    def _open_clients(self, organization: int) -> Iterator[FakeClient]:
        self._clients = [client for client in self._clients if client.state != "over"]
        return (client for client in self._clients if client.key[0] == organization)

    # --- What it consists of ---------------------------------------------------------------------

    def remove(
        self, organization: int, keep: Collection[str] = frozenset(), only: str = ""
    ) -> None:
        """Remove stores of an organization: this one only, or all but some."""
        for key in list(self.stores):
            if key[0] == organization and key[1] not in keep and only in ("", key[1]):
                del self.stores[key]
                self.damaged.discard(key)

    def fitting(self, organization: int) -> str:
        """Return the number of a phone that this organization may link."""
        expected = Organization.objects.get(pk=organization).expected_number
        others = Connection.objects.exclude(pk=organization).exclude(store_name="")
        taken = set(others.values_list("number", flat=True))
        return expected or next(number for number in NUMBERS if number not in taken)

    def refuse_for_long(self, organization: int) -> None:
        """WhatsApp has refused this login for as long as it takes to be told so."""
        assert self._context is not None
        since = self.loop.time() - settings.LOGIN_REFUSED_LONG_SECONDS
        self._context.stability[organization].refused_since = since
