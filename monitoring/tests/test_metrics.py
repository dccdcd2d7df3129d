"""The metrics page: who may read it, its values, and no tenant in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from connections import actions
from connections.display import Section
from connections.lifecycle import Desired, Reason, State
from connections.live.fleet import get_fleet
from connections.models import Connection, ConnectionEvent, Method, PairingAttempt, Worker
from connections.tests.support.fake_worker import NUMBER, FakeWorker
from monitoring import counters, gauges, health, stored_totals
from monitoring.counters import TotalsReader
from monitoring.endpoints import HealthMiddleware
from monitoring.models import HistoryTotals
from organizations.access import Actor, for_user
from organizations.models import Organization
from organizations.tests.support.users import member
from whatsapp_orgs.tests.support.asgi_client import INNER_STATUS, ask, inner_application

ACTOR = Actor("the tests")
TOKEN = "t0ken-of-prometheus-" + "x" * 20
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def values_of(text: str) -> Values:
    """Return every sample by its name and labels. Raises ValueError for a wrong format."""
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    gauges_now = {(one.name, tuple(sorted(one.labels.items()))): one.value for one in samples}
    assert len(gauges_now) == len(samples)
    return gauges_now


def value(values: Values, name: str, **labels: str) -> float:
    return values[(f"whatsapp_orgs_{name}", tuple(sorted(labels.items())))]


async def scrape() -> Values:
    response = await ask(HealthMiddleware(inner_application), "/metrics")
    assert response.status == 200
    assert response.headers[b"content-type"] == b"text/plain; version=0.0.4; charset=utf-8"
    return values_of(response.text)


# --- Access ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("token", "client", "headers", "status"),
    [
        ("", "127.0.0.1", {}, 200),
        ("", "::1", {"host": "[::1]:8000"}, 200),
        ("", "::ffff:127.0.0.1", {"host": "localhost:8000"}, 200),
        ("", "192.0.2.7", {}, 403),
        ("", None, {}, 403),
        # Requests of a local proxy, with forwarding headers or the site's name.
        ("", "127.0.0.1", {"x-forwarded-for": "192.0.2.7"}, INNER_STATUS),
        ("", "127.0.0.1", {"host": "orgs.example.com"}, 403),
        ("", "127.0.0.1", {"host": "[::1"}, 403),
        ("", "127.0.0.1", {"host": ""}, 403),
        ("", "192.0.2.7", {"authorization": "Bearer "}, 403),
        (TOKEN, "192.0.2.7", {"authorization": f"Bearer {TOKEN}"}, 200),
        (TOKEN, "192.0.2.7", {"authorization": f"Bearer {TOKEN}", "via": "1.1 proxy"}, 200),
        (TOKEN, "192.0.2.7", {"authorization": f"Bearer {TOKEN}x"}, 401),
        (TOKEN, "192.0.2.7", {"authorization": TOKEN}, 401),
        (TOKEN, "127.0.0.1", {}, 401),
        (TOKEN, "127.0.0.1", {"x-forwarded-for": "192.0.2.7"}, INNER_STATUS),
    ],
)
async def test_access_needs_the_token_or_a_direct_local_request(
    settings: Settings, token: str, client: str | None, headers: dict[str, str], status: int
) -> None:
    settings.METRICS_TOKEN = token
    address = (client, 40000) if client else None
    response = await ask(
        HealthMiddleware(inner_application), "/metrics", client=address, headers=headers
    )
    assert response.status == status
    assert ("whatsapp_orgs_" in response.text) == (status == 200)


def test_short_or_non_ascii_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from whatsapp_orgs.settings import secret

    for token in ("secret", "é" * 40):
        monkeypatch.setenv("METRICS_TOKEN", token)
        with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN") as refused:
            secret("METRICS_TOKEN", 32)
        assert token not in str(refused.value)
    monkeypatch.setenv("METRICS_TOKEN", TOKEN)
    assert secret("METRICS_TOKEN", 32) == TOKEN


# --- Values ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
async def test_pairings_are_counted_by_outcome() -> None:
    await sync_to_async(_pairings)()
    values = await scrape()
    assert value(values, "attempts_total", method="qr", outcome="linked") == 1
    assert value(values, "attempts_total", method="qr", outcome="expired") == 0
    assert value(values, "open_attempts", method="qr") == 1
    assert value(values, "code_seconds_count", method="qr") == 2
    assert value(values, "code_seconds_bucket", method="qr", le="+Inf") == 2
    assert value(values, "code_seconds_count", method="phone") == 0
    assert value(values, "organizations", state="connected", reason="linked") == 1
    assert value(values, "organizations", state="awaiting_scan", reason="waiting_for_scan") == 1
    assert value(values, "section_organizations", section="linking") == 1
    assert value(values, "desired_organizations", desired="connected") == 2
    assert value(values, "events_total", observation="linked") == 1
    assert value(values, "events_total", observation="banned") == 0
    assert value(values, "workers", status="alive") == 1
    assert value(values, "ready", check="worker") == 1
    assert value(values, "scrape_complete") == 1
    assert values[("process_resident_memory_bytes", ())] > 10_000_000


def _pairings() -> None:
    worker = FakeWorker()
    first, second = (_connection(name) for name in ("Acme 7731", "Globex 9152"))
    for connection in (first, second):
        actions.request_reconnect(connection.pk, ACTOR)
    worker.link(first)
    worker.show_code(second)


def _connection(name: str) -> Connection:
    return Connection.objects.of(Organization.objects.create(name=name))


@pytest.mark.django_db(transaction=True)
async def test_no_name_number_or_id_of_a_tenant_is_exposed(settings: Settings) -> None:
    await sync_to_async(_pairings)()
    await Worker.objects.aupdate(name="host-7.internal")
    response = await ask(HealthMiddleware(inner_application), "/metrics")
    assert "whatsapp_orgs_organizations{" in response.text
    for secret in ("Acme", "Globex", "7731", "9152", NUMBER, "internal"):
        assert secret not in response.text
    labels = {label for _, pairs in values_of(response.text) for label, _ in pairs}
    assert labels == LABELS


LABELS = {
    *("check", "desired", "le", "method", "observation", "outcome", "reason", "section"),
    *("limit", "state", "status", "worker"),
}


# --- Gauges ---------------------------------------------------------------------------------------


@pytest.fixture
def fleet(db: None) -> list[Connection]:
    """Create all combinations of worker, state and wish, and an organization without a row."""
    now = timezone.now()
    alive, dead = Worker.objects.create(name="a"), Worker.objects.create(name="d")
    long_dead = Worker.objects.create(name="l")
    Worker.objects.filter(pk=dead.pk).update(heartbeat_at=now - timedelta(minutes=2))
    Worker.objects.filter(pk=long_dead.pk).update(heartbeat_at=now - timedelta(days=2))
    created = []
    for worker in (alive, dead, long_dead, None):
        for state in State:
            for desired in Desired:
                for generation in (0, 1):
                    connection = _connection(f"{worker} {state} {desired} {generation}")
                    connection.worker, connection.state, connection.desired = worker, state, desired
                    connection.reason, connection.generation = Reason.STORE_FAILED, generation
                    connection.save()
                    created.append(connection)
    Organization.objects.filter(pk=created[0].pk).update(deactivated_at=now)
    Organization.objects.create(name="without a row")
    return created


@pytest.mark.parametrize("alive", [True, False])
def test_gauges_equal_the_fleet_page(fleet: list[Connection], alive: bool) -> None:
    if not alive:
        Worker.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    gauges_now = gauges.read()
    user = member("root", Organization.objects.all()[0], "owner")  # type: ignore[arg-type]
    user.is_superuser = True
    shown = get_fleet(for_user(user))
    assert {section: gauges_now.sections[section] for section in Section} == {
        section: shown.count(section) for section in Section
    }
    lines = [(row["state"], row["reason"]) for group in shown.groups for row in group.rows]
    assert sum(gauges_now.organizations.values()) == len(lines) == len(fleet) + 1
    assert {pair: gauges_now.organizations[pair] for pair in gauges_now.organizations} == {
        pair: lines.count(pair) for pair in lines
    }
    unowned = [pair for pair in lines if pair[1] in ("service_restarted", "worker_offline")]
    assert gauges_now.unattended == len(unowned) > 0


@pytest.mark.django_db
def test_workers_are_alive_draining_or_silent() -> None:
    now = timezone.now()
    for age, draining, stopped in (
        (0, None, None),
        (0, now, None),
        (60, None, None),
        (0, None, now),
    ):
        Worker.objects.create(
            name="w",
            heartbeat_at=now - timedelta(seconds=age),
            draining_since=draining,
            stopped_at=stopped,
            outdated_since=now - timedelta(seconds=100),
        )
    gauges_now = gauges.read()
    assert [gauges_now.status_of(worker) for worker in gauges_now.workers] == [
        "alive",
        "draining",
        "silent",
    ]
    assert gauges_now.heartbeat_age(gauges_now.workers[2]) == pytest.approx(60, abs=20)
    assert gauges_now.outdated_seconds() == pytest.approx(100, abs=20)


# --- Totals ---------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Return a function that advances the time."""
    offset = timedelta()

    def now() -> datetime:
        return real_now() + offset

    def forward(seconds: float) -> None:
        nonlocal offset
        offset += timedelta(seconds=seconds)

    real_now = timezone.now
    monkeypatch.setattr("django.utils.timezone.now", now)
    yield forward


def _event(connection: Connection, before: State, state: State, at: datetime) -> ConnectionEvent:
    observation = Reason.RESUMED if state == State.CONNECTED else Reason.LINK_LOST
    return ConnectionEvent.objects.create(
        connection=connection,
        at=at,
        observation=observation,
        state_before=before,
        state=state,
        reason=Reason.LINK_LOST,
    )


C, R, A = State.CONNECTED, State.RECONNECTING, State.ACTION_NEEDED


@pytest.mark.parametrize("max_rows", [1, 2, 100_000])
def test_totals_equal_those_of_a_fresh_process(
    db: None, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, max_rows: int
) -> None:
    monkeypatch.setattr(counters, "MAX_ROWS", max_rows)
    one, two = _connection("one"), _connection("two")
    reader, start = TotalsReader(), timezone.now()
    lines = [
        (one, C, R, 0.0),
        (two, C, R, 1.0),
        (one, R, R, 2.0),
        (one, R, C, 4.0),
        (two, R, A, 5.0),
        (two, A, C, 6.0),
        (one, C, R, 500.0),
        (one, R, C, 800.5),
    ]
    response = []
    for connection, before, state, seconds in lines:
        _event(connection, before, state, start + timedelta(seconds=seconds))
        clock(100)
        totals = reader.read()
        # A process that was just started reports the same.
        fresh = TotalsReader().read()
        assert (totals.events, totals.recoveries) == (fresh.events, fresh.recoveries)
        response.append((sum(totals.events.values()), sum(totals.recoveries.counts)))
    assert response == [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 1), (7, 1), (8, 2)]
    assert totals.recoveries.total == pytest.approx(304.5)


def test_attempt_that_ends_late_is_counted_once(db: None, clock: Callable[[float], None]) -> None:
    connection = _connection("one")
    now = timezone.now()
    attempt = PairingAttempt.objects.create(connection=connection, generation=1, expires_at=now)
    reader = TotalsReader()
    assert reader.read().attempts == {("qr", ""): 1}
    clock(3600)
    assert reader.read().attempts == reader.read().attempts == {("qr", ""): 1}
    PairingAttempt.objects.update(outcome="linked", ended_at=now, first_code_at=now)
    later = PairingAttempt.objects.create(connection=connection, generation=2, expires_at=now)
    assert attempt.pk < later.pk
    for _ in range(2):
        totals = reader.read()
        assert totals.attempts == {("qr", "linked"): 1, ("qr", ""): 1}
        assert sum(totals.code_seconds("qr").counts) == 1


@pytest.mark.parametrize("max_rows", [2, 100_000])
def test_new_process_goes_on_from_the_stored_totals(
    db: None, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, max_rows: int
) -> None:
    monkeypatch.setattr(counters, "MAX_ROWS", max_rows)
    monkeypatch.setattr(counters, "STORE_ROWS", 1)
    connection, start = _connection("one"), timezone.now()
    for before, state in ((C, R), (R, C), (C, R)):
        _event(connection, before, state, start)
    for method in Method:
        PairingAttempt.objects.create(
            connection=connection,
            generation=1,
            expires_at=start,
            started_at=start,
            first_code_at=start + timedelta(seconds=0.3),
            method=method,
            ended_at=start,
            outcome="linked",
        )
    open_one = PairingAttempt.objects.create(connection=connection, generation=2, expires_at=start)
    clock(3600)
    running = TotalsReader()
    counted = running.read()
    # The retention deletes old events, and a removal the newest ones.
    ConnectionEvent.objects.all().delete()
    for reader in (running, TotalsReader()):
        totals = reader.read()
        assert (totals.events, totals.recoveries) == (counted.events, counted.recoveries)
        assert (totals.attempts, totals.codes) == (counted.attempts, counted.codes)
    # What was open at the time is counted once it has ended.
    _event(connection, R, C, start + timedelta(seconds=60))
    PairingAttempt.objects.filter(pk=open_one.pk).update(outcome="expired", ended_at=start)
    for reader in (running, TotalsReader()):
        totals = reader.read()
        assert totals.events == {"link_lost": 2, "resumed": 2}
        assert sum(totals.recoveries.counts) == 2
        assert totals.recoveries.total == pytest.approx(60)
        assert totals.attempts == {
            ("qr", "linked"): 1,
            ("phone", "linked"): 1,
            ("qr", "expired"): 1,
        }


def test_totals_of_other_buckets_are_counted_again(
    db: None, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "STORE_ROWS", 1)
    _event(_connection("one"), C, R, timezone.now())
    clock(3600)
    assert TotalsReader().read().events == {"link_lost": 1}
    row = HistoryTotals.objects.get()
    HistoryTotals.objects.update(counts=row.counts | {"bounds": [1.0], "events": {"banned": 7}})
    assert TotalsReader().read().events == {"link_lost": 1}
    assert HistoryTotals.objects.get().counts["events"] == {"link_lost": 1}


def test_totals_are_read_while_the_database_takes_no_writes(
    db: None,
    clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        _raise_database_error()

    monkeypatch.setattr(counters, "STORE_ROWS", 1)
    monkeypatch.setattr(stored_totals, "_counts", refuse)
    _event(_connection("one"), C, R, timezone.now())
    clock(3600)
    assert TotalsReader().read().events == {"link_lost": 1}
    assert "could not be stored" in caplog.text and "password" not in caplog.text


# --- Outages --------------------------------------------------------------------------------------


def _raise_database_error() -> None:
    raise DatabaseError("postgres://user:password@db.internal is away")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("function", ["_check_database", "read"])
async def test_without_a_database_only_process_metrics_are_exposed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, function: str
) -> None:
    monkeypatch.setattr(
        health if function == "_check_database" else gauges, function, _raise_database_error
    )
    values = await scrape()
    assert value(values, "scrape_complete") == 0
    assert value(values, "ready", check="database") == (function == "read")
    assert value(values, "open_websockets") == 0
    assert not any(name == "whatsapp_orgs_organizations" for name, _ in values)
    assert "password" not in caplog.text
