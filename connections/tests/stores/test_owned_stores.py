"""Every worker can reach stores in PostgreSQL: only the owner may change one."""

from __future__ import annotations

from functools import partial

import pytest

from connections import actions
from connections.actions import Superseded
from connections.models import Connection
from connections.stores import store_backend
from connections.tests.support.fake_worker import FakeWorker
from connections.tests.support.store_backends import Stores, database, folders, postgres, stores

__all__ = ["database", "folders", "stores", "postgres"]


@pytest.mark.django_db
def test_owner_removes_a_store(stores: Stores, connection: Connection) -> None:
    fence = FakeWorker(alone=False).claim(connection)
    stores.link(connection.pk, "attempt-1")
    assert actions.as_owner(fence, partial(store_backend().delete, connection.pk))
    assert stores.content() == set()


@pytest.mark.django_db
def test_superseded_worker_changes_no_store(stores: Stores, connection: Connection) -> None:
    """It stood still before a delete; meanwhile another worker linked a phone."""
    stopped = FakeWorker(alone=False)
    fence = stopped.claim(connection)
    stopped.die()
    FakeWorker(alone=False).claim(connection)
    stores.link(connection.pk, "attempt-2")
    for remove in (
        partial(store_backend().delete, connection.pk),
        partial(store_backend().discard, connection.pk, "attempt-2"),
        partial(store_backend().discard_others, connection.pk, {"attempt-1"}),
        partial(store_backend().create, connection.pk, "attempt-2"),
    ):
        with pytest.raises(Superseded):
            actions.as_owner(fence, remove)
    assert store_backend().linked_number(connection.pk, "attempt-2")
