"""Saved logins are claimed together, with a fixed number of queries; all else one by one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections import actions
from connections.actions import LinkEvent
from connections.lifecycle import Reason, State
from connections.models import Connection, ConnectionEvent, PairingAttempt
from connections.tests.support.fake_worker import FakeWorker
from connections.tests.support.linked_rows import create_linked
from events.models import Event
from notices.models import Trouble
from organizations.access import Actor
from organizations.models import Organization


def states(ids: list[int]) -> set[tuple[str, str]]:
    return set(Connection.objects.filter(pk__in=ids).values_list("state", "reason"))


@pytest.mark.django_db
def test_number_of_queries_does_not_grow_with_the_connections() -> None:
    worker = FakeWorker().worker
    counts = []
    for count in (2, 20):
        ids = create_linked(count)
        with CaptureQueriesContext(connection) as queries:
            claimed = actions.claim_saved_logins(ids, worker)
        counts.append(len(queries))
        assert [row.pk for row in claimed] == ids
        assert all((row.worker_id, row.claim) == (worker.pk, 1) for row in claimed)
        assert states(ids) == {(State.RECONNECTING, Reason.SERVICE_RESTARTED)}
    assert counts[0] == counts[1] < 20
    assert ConnectionEvent.objects.count() == Event.objects.count() == Trouble.objects.count() == 22


@pytest.mark.django_db
def test_other_connections_are_left_alone(organization: Organization) -> None:
    owner = FakeWorker()
    owned, disconnecting, linking, inactive, plain = create_linked(5)
    owner.claim(Connection.objects.get(pk=owned))
    Connection.objects.filter(pk=disconnecting).update(logout_pending=True)
    Organization.objects.filter(pk=inactive).update(deactivated_at=timezone.now())
    requested = Connection.objects.of(organization).pk
    actions.request_reconnect(requested, Actor("alice"))
    PairingAttempt.objects.create(connection_id=linking, generation=0, expires_at=timezone.now())
    newcomer = FakeWorker(alone=False).worker
    everything = [requested, owned, disconnecting, linking, inactive, plain]
    claimed = actions.claim_saved_logins(everything, newcomer, alone=False)
    assert [row.pk for row in claimed] == [plain]


@pytest.mark.django_db
def test_worker_that_is_gone_claims_nothing() -> None:
    worker = FakeWorker(alone=False)
    worker.die()
    ids = create_linked(2)
    assert actions.claim_saved_logins(ids, worker.worker, alone=False) == []
    assert set(Connection.objects.values_list("worker", flat=True)) == {None}


@pytest.mark.django_db
def test_events_recorded_together_count_as_each_alone() -> None:
    worker = FakeWorker().worker
    ids = create_linked(3)
    fences = [actions.Fence.of(row) for row in actions.claim_saved_logins(ids, worker)]
    actions.record_events([LinkEvent(fence, Reason.RESUMED) for fence in fences])
    assert states(ids) == {(State.CONNECTED, Reason.RESUMED)}
    assert not Trouble.objects.filter(ended_at=None).exists()
    # Of one connection, one after the other.
    twice = [LinkEvent(fences[0], Reason.LINK_LOST), LinkEvent(fences[0], Reason.RESUMED)]
    actions.record_events(twice)
    events = ConnectionEvent.objects.filter(connection=ids[0]).order_by("pk")
    assert [event.reason for event in events][-2:] == [Reason.LINK_LOST, Reason.RESUMED]


@pytest.mark.django_db
def test_superseded_event_records_none_of_those_beside_it() -> None:
    worker = FakeWorker().worker
    ids = create_linked(2)
    fences = [actions.Fence.of(row) for row in actions.claim_saved_logins(ids, worker)]
    actions.request_reconnect(ids[1], Actor("alice"))
    with pytest.raises(actions.Superseded):
        actions.record_events([LinkEvent(fence, Reason.RESUMED) for fence in fences])
    assert not Connection.objects.filter(state=State.CONNECTED).exists()
