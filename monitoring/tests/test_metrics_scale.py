"""Time and queries of a scrape with 1,000 organizations and 100,000 events."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections.lifecycle import Desired, Reason, State
from connections.models import Connection, ConnectionEvent, PairingAttempt, Worker
from events.models import Event, EventCounter
from monitoring import counters
from monitoring.exposition import MetricsReader
from organizations.models import Organization
from webhooks.models import Cursor, Endpoint

ORGANIZATIONS, ROUNDS, DOUBLED = 1000, 5, 3
TIMES = ROUNDS * 2**DOUBLED
QUERIES = 17


def create_fleet(organizations: int, rounds: int) -> None:
    """Create connected organizations with a history of so many hours."""
    created = Organization.objects.bulk_create(
        Organization(name=f"Organization {number}") for number in range(organizations)
    )
    worker = Worker.objects.create(name="a worker")
    Connection.objects.bulk_create(
        Connection(
            organization=organization,
            desired=Desired.CONNECTED,
            state=State.CONNECTED,
            reason=Reason.RESUMED,
            worker=worker,
        )
        for organization in created
    )
    create_webhook(created)
    now = timezone.now()
    for number in reversed(range(rounds)):
        create_attempts(created, number, now - timedelta(hours=number))
        create_events(created, number, now - timedelta(hours=number))


def create_webhook(organizations: list[Organization]) -> None:
    """Create a webhook of all organizations that has not got the last of their events."""
    endpoint = Endpoint.objects.create(url="https://a.example/", host="a.example", secret="")
    Event.objects.bulk_create(
        Event(organization=organization, sequence=sequence, type="message.received", data={})
        for organization in organizations
        for sequence in (1, 2)
    )
    EventCounter.objects.bulk_create(
        EventCounter(organization=organization, last=2) for organization in organizations
    )
    Cursor.objects.bulk_create(
        Cursor(endpoint=endpoint, organization=organization, position=1)
        for organization in organizations
    )


def create_attempts(organizations: list[Organization], number: int, at: datetime) -> None:
    """Create a successful pairing attempt of each organization."""
    PairingAttempt.objects.bulk_create(
        PairingAttempt(
            connection_id=organization.pk,
            generation=number,
            started_at=at,
            expires_at=at,
            first_code_at=at + timedelta(seconds=0.4),
            ended_at=at + timedelta(seconds=9),
            outcome=PairingAttempt.Outcome.LINKED,
        )
        for organization in organizations
    )


def create_events(organizations: list[Organization], number: int, at: datetime) -> None:
    """Create the events of a short outage of each organization."""
    events = [
        (Reason.LINK_LOST, State.CONNECTED, State.RECONNECTING, 0.0),
        (Reason.RESUMED, State.RECONNECTING, State.CONNECTED, 3.5),
    ]
    if number % 2:
        events.insert(1, (Reason.UNREACHABLE, State.RECONNECTING, State.RECONNECTING, 1.0))
    for observation, before, state, seconds in events:
        ConnectionEvent.objects.bulk_create(
            ConnectionEvent(
                connection_id=organization.pk,
                at=at + timedelta(seconds=seconds),
                observation=observation,
                state_before=before,
                state=state,
                reason=Reason.LINK_LOST,
            )
            for organization in organizations
        )


def double(model: type[Model]) -> None:
    """Insert a copy of all rows, which is faster than creating them one by one."""
    columns = ", ".join(f'"{field.column}"' for field in model._meta.concrete_fields[1:])
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} ORDER BY id")


@pytest.mark.django_db
@pytest.mark.parametrize("organizations, rounds", [(0, 0), (3, 2)])
def test_scrape_makes_a_fixed_number_of_queries(
    organizations: int, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PostgreSQL goes on with the ids of earlier tests.
    monkeypatch.setattr(counters, "STORE_ROWS", 10**9)
    create_fleet(organizations, rounds)
    reader = MetricsReader()
    for first in (1, 0):
        with CaptureQueriesContext(connection) as captured:
            reader.read()
        # A new process also reads the stored totals.
        assert len(captured) == QUERIES + first


@pytest.mark.django_db
def test_scrape_of_a_long_history_is_fast(capsys: pytest.CaptureFixture[str]) -> None:
    create_fleet(ORGANIZATIONS, ROUNDS)
    for _ in range(DOUBLED):
        double(ConnectionEvent)
        double(PairingAttempt)
    Worker.objects.update(heartbeat_at=timezone.now())
    reader = MetricsReader()
    durations = []
    for _ in range(4):
        started = time.perf_counter()
        with CaptureQueriesContext(connection) as captured:
            now, totals, _ = reader.read()
        durations.append(time.perf_counter() - started)
        assert len(durations) == 1 or len(captured) == QUERIES
        assert now.organizations == {(State.CONNECTED, Reason.RESUMED): ORGANIZATIONS}
        assert now.webhooks.waiting == {"enabled": ORGANIZATIONS}
        assert sum(totals.events.values()) == ConnectionEvent.objects.count()
        assert sum(totals.recoveries.counts) == ORGANIZATIONS * TIMES
        assert totals.recoveries.total == pytest.approx(3.5 * ORGANIZATIONS * TIMES, rel=0.01)
        assert sum(totals.code_seconds("qr").counts) == ORGANIZATIONS * TIMES
    with capsys.disabled():
        print(
            f"\nscrape, {connection.vendor}, {ORGANIZATIONS} organizations, "
            f"{ConnectionEvent.objects.count()} lines of history, "
            f"{PairingAttempt.objects.count()} attempts: the first {durations[0] * 1000:.0f} ms, "
            f"then {min(durations[1:]) * 1000:.0f} ms, {QUERIES} queries"
        )
    # Prometheus waits for ten seconds.
    assert durations[0] < 10 and min(durations[1:]) < 2
    with CaptureQueriesContext(connection) as captured:
        assert MetricsReader().read()[1].events == totals.events
    # A new process reads the stored totals, and counts no history.
    assert len(captured) == QUERIES + 1
