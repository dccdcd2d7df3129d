"""Stores on a PostgreSQL are in every worker's reach: only the owner may remove one."""

from __future__ import annotations

from functools import partial

import pytest

from connections import actions
from connections.actions import Superseded
from connections.models import Connection
from connections.stores import store_place
from connections.tests.support.fake_worker import FakeWorker
from connections.tests.support.store_backends import Place, database, folders, place, postgres

__all__ = ["database", "folders", "place", "postgres"]


@pytest.mark.django_db
def test_owner_removes_a_store(place: Place, connection: Connection) -> None:
    fence = FakeWorker(alone=False).claim(connection)
    place.link(connection.pk, "attempt-1")
    assert actions.as_owner(fence, partial(store_place().delete, connection.pk))
    assert place.content() == set()


@pytest.mark.django_db
def test_superseded_worker_changes_no_store(place: Place, connection: Connection) -> None:
    """It was about to delete, and goes on when another one has linked a phone meanwhile."""
    stopped = FakeWorker(alone=False)
    fence = stopped.claim(connection)
    stopped.die()
    FakeWorker(alone=False).claim(connection)
    place.link(connection.pk, "attempt-2")
    for remove in (
        partial(store_place().delete, connection.pk),
        partial(store_place().discard, connection.pk, "attempt-2"),
        partial(store_place().discard_others, connection.pk, {"attempt-1"}),
        partial(store_place().create, connection.pk, "attempt-2"),
    ):
        with pytest.raises(Superseded):
            actions.as_owner(fence, remove)
    assert store_place().linked_number(connection.pk, "attempt-2")
