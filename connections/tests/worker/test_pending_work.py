"""The connections that a worker must reconcile or may claim."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from connections import actions, broadcast
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, SelfTest, Worker
from connections.tests.support.fake_worker import FakeWorker
from connections.worker.pending_work import pending_connections, unowned_connections
from organizations.access import Actor
from organizations.actions import set_active
from organizations.models import Organization

NONE_RUNNING: frozenset[int] = frozenset()


@pytest.fixture
def worker(db: None) -> Worker:
    return FakeWorker(alone=False).worker


@pytest.fixture
def linked(connection: Connection, worker: Worker) -> Connection:
    Connection.objects.update(
        worker=worker, desired=Desired.CONNECTED, state=State.CONNECTED, store_name="attempt-1"
    )
    return Connection.objects.get()


def test_connection_without_its_task_is_pending(linked: Connection, worker: Worker) -> None:
    assert pending_connections(worker, NONE_RUNNING, alone=True) == [linked.pk]
    assert pending_connections(worker, frozenset([linked.pk]), alone=True) == []
    Organization.objects.update(deactivated_at=timezone.now())
    assert pending_connections(worker, frozenset([linked.pk]), alone=True) == [linked.pk]
    assert pending_connections(worker, NONE_RUNNING, alone=True) == []


def test_connection_with_a_pending_test_message_is_pending(
    linked: Connection, worker: Worker
) -> None:
    running, now = frozenset([linked.pk]), timezone.now()
    assert pending_connections(worker, running, alone=True) == []
    test = SelfTest.objects.create(
        connection=linked, requested_at=now, expires_at=now + SelfTest.TIMEOUT
    )
    assert pending_connections(worker, running, alone=True) == [linked.pk]
    SelfTest.objects.filter(pk=test.pk).update(expires_at=now - timedelta(seconds=1))
    assert pending_connections(worker, running, alone=True) == []


def test_task_of_a_lost_connection_is_pending(linked: Connection, worker: Worker) -> None:
    Connection.objects.update(worker=FakeWorker(alone=False).worker)
    assert pending_connections(worker, frozenset([linked.pk])) == [linked.pk]
    assert pending_connections(worker, NONE_RUNNING) == []


def test_connection_of_a_dead_worker_is_unowned_and_urgent_if_not_started(
    linked: Connection, worker: Worker
) -> None:
    assert unowned_connections() == ([], [])
    long_ago = timezone.now() - 2 * Worker.OFFLINE_AFTER
    Worker.objects.update(heartbeat_at=long_ago)
    assert unowned_connections() == ([], [linked.pk])
    Connection.objects.update(generation=1)
    assert unowned_connections() == ([linked.pk], [])


def test_connected_organizations_come_first(organization: Organization, worker: Worker) -> None:
    made = [Organization.objects.create(name=name) for name in ("first", "second")]
    first, second = (Connection.objects.of(one) for one in made)
    Connection.objects.update(desired=Desired.CONNECTED, store_name="attempt-1")
    Connection.objects.filter(pk=first.pk).update(state=State.RECONNECTING)
    Connection.objects.filter(pk=second.pk).update(state=State.CONNECTED)
    assert unowned_connections() == ([], [second.pk, first.pk])
    Connection.objects.update(worker=worker)
    assert pending_connections(worker, NONE_RUNNING, alone=True) == [second.pk, first.pk]
    Connection.objects.update(worker=FakeWorker(alone=False).worker)
    running = frozenset([first.pk, second.pk])
    assert pending_connections(worker, running) == [second.pk, first.pk]


def test_disconnect_while_deactivated_is_pending(linked: Connection, worker: Worker) -> None:
    set_active(linked.organization, False, Actor("alice"))
    assert pending_connections(worker, frozenset()) == []
    actions.request_disconnect(linked.pk, Actor("alice"))
    assert pending_connections(worker, frozenset()) == [linked.pk]
    # Started, but no task runs, for example after a lost hand-over.
    Connection.objects.update(started_generation=F("generation"))
    assert pending_connections(worker, frozenset()) == [linked.pk]
    assert pending_connections(worker, frozenset([linked.pk])) == []
    # A permanently failed clean-up waits for a person.
    Connection.objects.update(state=State.ACTION_NEEDED, reason=Reason.STORE_FAILED)
    assert pending_connections(worker, frozenset()) == []


def test_poll_makes_two_queries(
    linked: Connection, worker: Worker, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        assert pending_connections(worker, frozenset([linked.pk])) == []
        assert unowned_connections() == ([], [])


@pytest.mark.django_db(transaction=True)
def test_request_is_broadcast_once(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(broadcast, "_send", lambda changed: sent.append(changed[1]))
    actions.request_reconnect(connection.pk, Actor("alice"))
    assert sent == [
        (
            broadcast.connection_group(connection.pk),
            broadcast.ALL_CONNECTIONS_GROUP,
            broadcast.WORKERS,
        )
    ]
