"""A worker's turn needs as many queries for many cursors as for a few, and none for idle ones."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Event
from organizations.models import Organization
from webhooks.actions import claims, endpoints, loading, results
from webhooks.actions.claims import Room
from webhooks.models import Cursor, Endpoint
from webhooks.outcomes import Result, settle
from webhooks.tests.delivery.test_many_endpoints import append_to_all, make_many
from webhooks.tests.support.events import RECEIVED, STATUS, THE_TESTS, append, make_endpoint
from webhooks.worker.jobs import Job

pytestmark = pytest.mark.django_db

LEASE = timedelta(seconds=30)
ROOM = Room(1000, 1000, {}, 1000)


def turn(failure: str = "") -> tuple[int, int]:
    """Claim, read and store as a worker does. Return how many cursors, and how many queries."""
    with CaptureQueriesContext(connection) as queries:
        claimed = claims.claim("worker", LEASE, ROOM, [])
        cursors = claimed.cursors
        jobs = [Job(cursor, 0.0) for cursor in cursors]
        for job in jobs:
            job.take(claimed.batches[job.cursor.pk])
            for item in job.batch.items:
                new = item.delivery.pk is None
                result = Result(failure, 12, 500 if failure else 200)
                job.note(item.delivery, settle(job.cursor, item.delivery, result, _now()), new)
            job.release()
        assert results.record("worker", [job.take_report() for job in jobs]) == set()
    return len(cursors), len(queries)


def _now() -> datetime:
    return timezone.now()


def due_again() -> None:
    Cursor.objects.update(due_at=timezone.now())


@pytest.mark.parametrize("failure", ["", "status"])
def test_queries_of_a_turn_do_not_grow_with_the_cursors(failure: str) -> None:
    counts = {}
    for size in (5, 40):  # A few rows are written one by one.
        organizations = make_many(["http://127.0.0.1:1/?"] * size)
        append_to_all(organizations)
        assert (found := turn(failure))[0] == size
        due_again()
        counts[size] = (found, turn(failure)[1])
        Endpoint.objects.all().delete()
    assert counts[5][0][1] == counts[40][0][1]
    assert counts[5][1] == counts[40][1]
    assert counts[40][0][1] < 18


def test_idle_cursors_are_not_claimed() -> None:
    organizations = make_many(["http://127.0.0.1:1/?"] * 40)
    append_to_all(organizations[:1])
    claimed, queries = turn()
    assert claimed == 1
    append_to_all(organizations)
    assert turn() == (40, queries)


def test_claim_without_anything_asks_once_and_of_all_also_when_something_is_due() -> None:
    organizations = make_many(["http://127.0.0.1:1/?"] * 5)
    counts = []
    for wanted in (dict.fromkeys(each.pk for each in organizations), None):
        with CaptureQueriesContext(connection) as queries:
            assert claims.claim("worker", LEASE, ROOM, [], wanted).cursors == []
        counts.append(len(queries))
    assert counts == [1, 2]


def test_claim_without_anything_due_names_the_next_time() -> None:
    organizations = make_many(["http://127.0.0.1:1/?"] * 3)
    assert claims.claim("worker", LEASE, ROOM, []).next_at is None
    append_to_all(organizations)
    leased, delayed, later = Cursor.objects.order_by("pk")
    now = timezone.now()
    for cursor, seconds in ((leased, 0), (delayed, 20), (later, 40)):
        Cursor.objects.filter(pk=cursor.pk).update(due_at=now + timedelta(seconds=seconds))
    soon = now + timedelta(seconds=10)
    Cursor.objects.filter(pk=leased.pk).update(lease_owner="dead", lease_until=soon)
    assert claims.claim("worker", LEASE, ROOM, []).next_at == soon
    running = claims.claim("worker", LEASE, ROOM, [leased.pk])
    assert running.next_at == now + timedelta(seconds=20)


def test_event_that_no_endpoint_wants_costs_one_query(organization: Organization) -> None:
    endpoint = make_endpoint(organization, "http://127.0.0.1:1/", types=[RECEIVED])
    append(organization, STATUS, STATUS)
    with CaptureQueriesContext(connection) as queries:
        assert claim_woken(organization, STATUS).cursors == []
    assert len(queries) == 1
    append(organization, RECEIVED)
    (batch,) = claim_woken(organization, STATUS, RECEIVED).batches.values()
    assert [item.delivery.type for item in batch.items] == [RECEIVED]
    assert batch.drained
    assert endpoint.cursors.get().position == 0, "it moves when the event is taken"


@pytest.mark.parametrize("types", [[], [STATUS]])
def test_endpoint_that_was_made_before_an_event_gets_it(
    organization: Organization, types: list[str]
) -> None:
    make_endpoint(organization, "http://127.0.0.1:1/", types=[RECEIVED])
    append(organization, STATUS)
    fresh = make_endpoint(organization, "http://127.0.0.1:1/", types=types)
    append(organization, STATUS)
    (cursor,) = claim_woken(organization, STATUS).cursors
    assert (cursor.endpoint_id, cursor.position) == (fresh.pk, 1)


def test_claim_everywhere_takes_what_stayed_behind(organization: Organization) -> None:
    make_endpoint(organization, "http://127.0.0.1:1/", types=[RECEIVED])
    append(organization, STATUS, count=3)
    assert claim_woken(organization, STATUS).cursors == []
    (batch,) = claims.claim("worker", LEASE, ROOM, []).batches.values()
    assert (batch.items, batch.end, batch.drained) == ([], 3, True)


def test_type_that_is_added_counts_from_then_on(organization: Organization) -> None:
    endpoint = make_endpoint(organization, "http://127.0.0.1:1/", types=[RECEIVED])
    append(organization, STATUS, STATUS)
    endpoints.change(endpoint, THE_TESTS, types=[RECEIVED, STATUS])
    assert endpoint.cursors.get().position == 2
    append(organization, RECEIVED)
    endpoints.change(endpoint, THE_TESTS, types=[RECEIVED])
    assert endpoint.cursors.get().position == 2, "a message waits"


def test_claim_says_where_another_worker_sends(organization: Organization) -> None:
    make_endpoint(organization, "http://127.0.0.1:1/")
    append(organization, RECEIVED)
    assert len(claim_woken(organization, RECEIVED).cursors) == 1
    assert claim_woken(organization, RECEIVED).elsewhere == {organization.pk}


def test_claim_says_where_another_worker_was_faster(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(organization, "http://127.0.0.1:1/")
    append(organization, RECEIVED)
    # The other worker's lease was not committed yet when this one looked.
    monkeypatch.setattr(claims, "_lease", lambda owner, lease, ids: [])
    assert claim_woken(organization, RECEIVED).elsewhere == {organization.pk}
    # It asks again soon, not only when it is time for the safety poll.
    everywhere = claims.claim("worker", LEASE, ROOM, [])
    assert everywhere.next_at is not None and everywhere.next_at <= timezone.now()


def claim_woken(organization: Organization, *types: str) -> claims.Claimed:
    return claims.claim("worker", LEASE, ROOM, [], {organization.pk: types})


def test_one_host_does_not_take_all_room() -> None:
    organizations = make_many(["http://127.0.0.1:1/?"] * 10)
    Endpoint.objects.filter(organization__in=organizations[:8]).update(host="crowded.example")
    append_to_all(organizations)
    room = Room(sound=6, slow=0, hosts={"crowded.example": 1}, per_host=3)
    claimed = claims.claim("worker", LEASE, room, [])
    hosts = sorted(cursor.endpoint.host for cursor in claimed.cursors)
    assert hosts.count("crowded.example") == 2
    assert len(hosts) == 4 and claimed.more


def test_another_worker_gets_a_cursor_when_its_lease_is_over() -> None:
    organizations = make_many(["http://127.0.0.1:1/?"] * 2)
    append_to_all(organizations)
    assert len(claims.claim("first", LEASE, ROOM, []).cursors) == 2
    assert claims.claim("second", LEASE, ROOM, []).cursors == []
    over = timezone.now() - timedelta(seconds=1)
    Cursor.objects.filter(organization=organizations[0]).update(lease_until=over)
    (claimed,) = claims.claim("second", LEASE, ROOM, []).cursors
    assert claimed.organization_id == organizations[0].pk
    assert claims.renew("first", LEASE, [found.pk for found in Cursor.objects.all()]) == {
        Cursor.objects.get(organization=organizations[1]).pk
    }


@pytest.mark.parametrize("skew", [timedelta(seconds=-60), timedelta(seconds=60)])
def test_clock_of_a_worker_changes_no_lease(
    organization: Organization, skew: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = make_endpoint(organization, "http://127.0.0.1:1/")
    append(organization, RECEIVED)
    Cursor.objects.update(due_at=timezone.now() - timedelta(minutes=5))
    assert len(claims.claim("first", LEASE, ROOM, []).cursors) == 1
    skewed_now = timezone.now() + skew
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: skewed_now)
        assert claims.claim("second", LEASE, ROOM, []).cursors == []
        assert claim_woken(organization, RECEIVED).elsewhere == {organization.pk}
        assert claims._lease("second", LEASE, [endpoint.cursors.get().pk]) == []
        assert len(claims.renew("first", LEASE, [endpoint.cursors.get().pk])) == 1
    until = endpoint.cursors.get().lease_until
    assert until is not None and timedelta(0) < until - timezone.now() <= LEASE


def test_report_of_a_lost_lease_is_not_stored() -> None:
    organizations = make_many(["http://127.0.0.1:1/?"])
    append_to_all(organizations)
    (cursor,) = claims.claim("first", LEASE, ROOM, []).cursors
    job = Job(cursor, 0.0)
    job.take(loading.load([cursor])[cursor.pk])
    (item,) = job.batch.items
    job.note(item.delivery, settle(cursor, item.delivery, Result("", 1, 200), _now()), True)
    Cursor.objects.update(lease_owner="second")
    assert results.record("first", [job.take_report()]) == {cursor.pk}
    assert Cursor.objects.get().position == 0


def test_same_report_may_be_stored_twice() -> None:
    organizations: list[Organization] = make_many(["http://127.0.0.1:1/?"])
    append_to_all(organizations)
    (cursor,) = claims.claim("first", LEASE, ROOM, []).cursors
    job = Job(cursor, 0.0)
    job.take(loading.load([cursor])[cursor.pk])
    (item,) = job.batch.items
    job.note(item.delivery, settle(cursor, item.delivery, Result("", 1, 200), _now()), True)
    report = job.take_report()
    for _ in range(2):
        assert results.record("first", [report]) == set()
    delivery = item.delivery
    assert (delivery.attempts.count(), cursor.deliveries.count()) == (1, 1)


def test_batch_ends_when_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    organizations = make_many(["http://127.0.0.1:1/?"])
    for _ in range(5):
        append_to_all(organizations)
    (cursor,) = claims.claim("first", LEASE, ROOM, []).cursors
    monkeypatch.setattr(loading, "BATCH_BYTES", 150)
    batch = loading.load([cursor])[cursor.pk]
    assert [item.delivery.sequence for item in batch.items] == [1, 2]
    assert (batch.end, batch.drained) == (2, False)
    monkeypatch.undo()
    batch = loading.load([cursor])[cursor.pk]
    assert (len(batch.items), batch.end, batch.drained) == (5, 5, True)


def test_event_without_its_key_holds_up_its_own_endpoint_alone() -> None:
    organizations = make_many(["http://127.0.0.1:1/?"] * 3)
    append_to_all(organizations)
    lost = organizations[1].pk
    # As if its key had been removed.
    Event.objects.filter(organization=lost).update(data=RawSQL("'gone:' || data", []))
    claimed = claims.claim("worker", LEASE, ROOM, [])
    found = {cursor.organization_id for cursor in claimed.cursors}
    assert found == {each.pk for each in organizations} - {lost}
    assert claimed.batches.keys() == {cursor.pk for cursor in claimed.cursors}
    # It is tried again later, and keeps nobody from claiming until then.
    assert claims.claim("other", LEASE, ROOM, []).cursors == []
    assert Cursor.objects.get(organization=lost).due_at > timezone.now() + timedelta(minutes=4)
