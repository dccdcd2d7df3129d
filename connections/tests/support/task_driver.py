"""Drives the real tasks of a worker step by step, on a fake world."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from connections.models import Connection, ConnectionEvent, Method
from connections.tests.support.fake_worker import FakeWorker
from connections.tests.support.fake_world import Call, World
from connections.worker.tasks.task_runner import TaskRunner

MAX_STEPS = 300

T = TypeVar("T")


class TaskDriver:
    """Runs the tasks of a worker that can be killed; organizations are given by their index."""

    world: World
    ids: list[int]  # of the connections
    fake_worker: FakeWorker
    task_runner: TaskRunner

    def reconnect(self, who: int, method: Method, fresh: bool = False) -> None:
        """Request a reconnect."""
        raise NotImplementedError

    def check_credentials(self) -> None:
        """Check the stores after a step that may have changed them."""
        raise NotImplementedError

    def run_until_idle(self, pk: int) -> None:
        for _ in range(MAX_STEPS):
            if self.is_idle(pk):
                return
            self.world.take(pk)
        raise AssertionError(f"the task does not become idle: {self.world.points(pk)}")

    def row(self, who: int) -> Connection:
        return Connection.objects.select_related("organization").get(pk=self.ids[who])

    def link(self, who: int, method: Method = Method.QR) -> None:
        """Link a phone without faults."""
        self.reconnect(who, method)
        self.run_without_faults(who)

    def run_without_faults(self, who: int) -> None:
        """Run the task without faults until it is idle."""
        self.reconcile(self.ids[who])
        self.run_until_idle(self.ids[who])
        self.check_credentials()

    def run_into_fault(self, who: int, fault: str) -> None:
        """Run until a fault is offered, take it, and run until the task has recorded an event."""
        pk = self.ids[who]
        self.reconcile(pk)
        self.run_until_offered(who, fault)
        events = ConnectionEvent.objects.filter(connection=pk)
        before = events.count()
        self.world.take(pk, fault)
        while events.count() == before and not self.is_idle(pk) and fault not in self.options(who):
            self.world.take(pk)
        self.check_credentials()

    def run_until_offered(self, who: int, answer: str) -> None:
        """Run without faults until this answer is offered."""
        for _ in range(MAX_STEPS):
            if answer in self.options(who):
                return
            self.world.take(self.ids[who])
        raise AssertionError(f"{answer!r} is never offered: {self.options(who)}")

    def perform_calls(self, who: int) -> None:
        """Perform all pending calls of the task to the database and the stores."""
        pk = self.ids[who]
        while any(isinstance(point, Call) for point in self.world.points(pk)):
            self.world.take(pk)
            self.check_credentials()

    def is_idle(self, pk: int) -> bool:
        """Return whether the connection's task has ended or only holds a stable link."""
        return pk not in self.task_runner.running or self.world.is_idle(pk)

    def options(self, who: int) -> set[str]:
        """Return all answers that the tasks of an organization may get now."""
        points = self.world.points(self.ids[who])
        return {option for point in points for option in point.options()}

    def start_worker(self) -> None:
        """Register a new worker without tasks."""
        self.fake_worker = FakeWorker()
        context = self.world.context_for(self.fake_worker.worker)
        self.task_runner = TaskRunner(
            context, lease_held=lambda: True, capacity=lambda: None, wake=lambda connection_id: None
        )

    def kill_worker(self) -> None:
        """Kill the worker at its current step."""
        self.fake_worker.die()
        self.world.kill_worker(lambda: self.run_supervisor(self.task_runner.cancel_all()))

    def reconcile(self, pk: int) -> None:
        """Reconcile a connection, as the supervisor does. Running tasks meet no fault meanwhile."""
        self.fake_worker.live()
        self.run_supervisor(self.task_runner.reconcile(pk), pk)

    def run_supervisor(self, coroutine: Coroutine[Any, Any, T], pk: int = 0) -> T:
        """Run a coroutine of the supervisor to its end."""
        task = self.world.loop.create_task(coroutine, name=f"supervisor {pk}")
        for _ in range(MAX_STEPS):
            self.world.loop.run_until_idle()
            if task.done():
                return task.result()
            self.world.take(pk)
        raise AssertionError(f"not done: {task}, {self.world.points(pk)}")
