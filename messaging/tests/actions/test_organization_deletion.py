"""An organization is deleted while its worker sends and receives: nothing fails or is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from connections.actions import Superseded
from connections.models import Connection
from events.models import Event
from messaging.actions import incoming, outboxes, statuses
from messaging.models import Contact, Message
from messaging.tests.support.linked import ANA, BEA, Linked
from messaging.tests.support.records import message
from organizations.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 12
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def closing(call: Callable[[], Any]) -> Any:
    """Call, and close this thread's connection."""
    try:
        return call()
    finally:
        database.close()


def until_a_transaction_waits() -> None:
    """Return when another transaction waits for a lock that this one holds."""
    deadline = time.monotonic() + 20
    with database.cursor() as cursor:
        while True:
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < deadline
            time.sleep(0.01)


def rows_left(organization_id: int) -> list[int]:
    models = (Message, Contact, Event)
    counts = [model.objects.filter(organization=organization_id).count() for model in models]
    return [*counts, Organization.objects.filter(pk=organization_id).count()]


def test_deletion_waits_for_a_worker_that_changes_a_message(linked: Linked) -> None:
    if database.vendor == "sqlite":
        return  # A transaction locks the whole database.
    linked.store(message(BEA))
    linked.enqueue()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            # As a worker does that takes a message.
            Connection.objects.select_for_update().get(pk=linked.pk)
            outboxes.lock(linked.pk)
            deleting = pool.submit(closing, linked.organization.delete)
            until_a_transaction_waits()
            queued = Message.objects.filter(organization=linked.pk, state="queued")
            statuses.change_all(linked.pk, queued, Message.State.CANCELLED, "cancelled")
            incoming.store([(linked.pk, [message(ANA)])])
        deleting.result(60)
    assert rows_left(linked.pk) == [0, 0, 0, 0]


def test_worker_goes_on_until_its_organization_is_gone(db: None) -> None:
    for number in range(ROUNDS):
        linked = Linked(Organization.objects.create(name=f"Padaria {number}"))
        for _ in range(5):
            linked.enqueue(ANA)

        def work(linked: Linked = linked) -> None:
            try:
                while Organization.objects.filter(pk=linked.pk).exists():
                    linked.store(message(ANA), message(BEA))
                    linked.send_next()
            except (Superseded, Connection.DoesNotExist, Message.DoesNotExist):
                return  # That is how it learns of it.

        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(closing, work)
            while not Event.objects.filter(organization=linked.pk).exists():
                assert not working.done()
            linked.organization.delete()
            working.result(60)
        assert rows_left(linked.pk) == [0, 0, 0, 0]
