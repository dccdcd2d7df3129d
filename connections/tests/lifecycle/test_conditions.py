"""Each Python condition matches the same rows as its SQL, for all column values."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.db.models import F, Q
from django.utils import timezone

from connections import actions
from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, Worker, Workforce, conditions
from connections.status import status_of_row, with_effective_state
from connections.tests.support.fake_worker import FakeWorker
from organizations.models import Organization

pytestmark = pytest.mark.django_db

IS_PAIRING: dict[str, tuple[Callable[[Any], bool], Q]] = {
    "active": (conditions.active, conditions.ACTIVE),
    "not_started": (conditions.not_started, conditions.NOT_STARTED),
    "live": (conditions.live, conditions.IS_LIVE),
    "disconnecting": (conditions.disconnecting, conditions.DISCONNECTING),
    "is_pairing": (conditions.is_pairing, conditions.IS_PAIRING),
    "never_linked": (conditions.never_linked, conditions.NEVER_LINKED),
    "holds_link": (conditions.holds_link, conditions.HOLDS_LINK),
    "needs_worker": (conditions.needs_worker, conditions.NEEDS_WORKER),
    "needs_task": (conditions.needs_task, conditions.NEEDS_TASK),
}


def make_every_combination(workforce: Workforce) -> list[Connection]:
    """Return a row for each combination of the columns that a condition reads."""
    dead, stopped = FakeWorker(), FakeWorker()
    dead.die()
    actions.stop_worker(stopped.worker)
    workers: list[Worker | None] = [None, dead.worker, stopped.worker]
    if workforce != Workforce.ABSENT:
        living = FakeWorker().worker
        full = 1 if workforce == Workforce.FULL else 0
        Worker.objects.filter(pk=living.pk).update(capacity=full, sessions=1)
        workers.append(living)
    flags = (False, True)
    reasons = (Reason.LINK_LOST, Reason.DISCONNECTING)
    combinations = list(
        product(State, Desired, reasons, flags, flags, ("", "attempt-1"), flags, workers, flags)
    )
    organizations = Organization.objects.bulk_create(
        Organization(name=str(at), deactivated_at=timezone.now() if values[-1] else None)
        for at, values in enumerate(combinations)
    )
    Connection.objects.bulk_create(
        Connection(
            organization=organization,
            state=state,
            desired=desired,
            reason=reason,
            generation=2,
            started_generation=1 if waits else 2,
            logout_pending=leaving,
            store_name=store,
            fresh_code=fresh,
            worker=worker,
        )
        for organization, (state, desired, reason, waits, leaving, store, fresh, worker, _) in zip(
            organizations, combinations, strict=True
        )
    )
    assert Worker.workforce() == workforce
    return list(Connection.objects.select_related("organization", "worker"))


def found(condition: Q) -> set[int]:
    return set(Connection.objects.filter(condition).values_list("pk", flat=True))


def test_condition_of_a_row_finds_what_its_sql_finds() -> None:
    rows = make_every_combination(Workforce.READY)
    for name, (of_row, sql) in IS_PAIRING.items():
        expected = {row.pk for row in rows if of_row(row)}
        assert found(sql) == expected, name
        assert found(~sql) == {row.pk for row in rows} - expected, f"not {name}"
        assert 0 < len(expected) < len(rows), name


@pytest.mark.parametrize("workforce", Workforce)
def test_owner_of_a_row_is_the_one_that_sql_finds(workforce: Workforce) -> None:
    def has_worker(row: Connection) -> bool:
        return conditions.has_worker(row, workforce)

    def unowned(row: Connection) -> bool:
        return conditions.unowned(row, has_worker(row))

    pairs: list[tuple[Callable[[Any], bool], Q]] = [
        (conditions.owned, conditions.owned_q()),
        (has_worker, conditions.has_worker_q(workforce)),
        (unowned, conditions.unowned_q(workforce)),
    ]
    rows = make_every_combination(workforce)
    for of_row, sql in pairs:
        expected = {row.pk for row in rows if of_row(row)}
        assert found(sql) == expected
        assert found(~sql) == {row.pk for row in rows} - expected


@pytest.mark.parametrize("workforce", Workforce)
def test_told_state_and_reason_of_sql_are_those_of_the_status(workforce: Workforce) -> None:
    rows = make_every_combination(workforce)
    statuses = [status_of_row(row, workforce) for row in rows]
    expected = {status.connection.pk: (status.state, status.reason) for status in statuses}
    told = with_effective_state(Connection.objects.all())
    columns: Any = told.values_list("pk", F("effective_state"), F("effective_reason"))
    assert {pk: (state, reason) for pk, state, reason in columns} == expected
