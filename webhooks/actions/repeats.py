"""Send something beside the new events: a test, one delivery again, a part of the log again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from events.models import Event
from events.notifications import wake_workers
from organizations.access import Actor
from organizations.audit import Action, log_audit
from organizations.models import Organization
from webhooks import refusals
from webhooks.actions.endpoints import lock_endpoint
from webhooks.formats import TEST_TYPE
from webhooks.models import Cursor, Delivery, Endpoint
from webhooks.rights import Right

BY_HAND_AT_ONCE = 20
"""Tests and deliveries sent again of one endpoint that may be on their way."""

ENDED_STATES = (Delivery.State.DELIVERED, Delivery.State.DEAD)
Kind = Cursor.Kind


@dataclass(frozen=True)
class Replay:
    """A part of an organization's log that is sent again, both ends included."""

    organization_id: int
    from_sequence: int
    to_sequence: int
    events: int


@transaction.atomic
def test(endpoint: Endpoint, actor: Actor) -> Delivery:
    """Send a test event, once, and return its delivery. It is sent while paused, too.

    Raises PermissionDenied, Endpoint.DoesNotExist and refusals.TooManyTests.
    """
    locked = lock_endpoint(endpoint, actor, Right.REPEAT)
    _require_room(locked)
    cursor = Cursor.objects.create(
        endpoint=locked, organization=locked.organization, kind=Kind.TEST, position=0, end=1
    )
    wake_workers(locked.organization_id)
    return Delivery.objects.create(
        endpoint=locked,
        organization=locked.organization,
        cursor=cursor,
        sequence=1,
        type=TEST_TYPE,
        event_at=timezone.now(),
    )


@transaction.atomic
def resend(delivery: Delivery, actor: Actor) -> Delivery:
    """Send an event once more, with the same id, and return the new delivery.

    Raises PermissionDenied, Endpoint.DoesNotExist, and refusals: NotResendable, EventDeleted,
    TooManyTests.
    """
    endpoint = lock_endpoint(delivery.endpoint, actor, Right.REPEAT)
    found = Delivery.objects.select_related("cursor").get(pk=delivery.pk)
    if found.state not in ENDED_STATES or found.cursor.kind == Kind.TEST:
        raise refusals.NotResendable
    event = Event.objects.filter(organization=found.organization_id, sequence=found.sequence)
    if not event.exists():
        raise refusals.EventDeleted
    _require_room(endpoint)
    cursor = Cursor.objects.create(
        endpoint=endpoint,
        organization_id=found.organization_id,
        kind=Kind.RESEND,
        position=found.sequence - 1,
        end=found.sequence,
    )
    log_audit(
        Action.WEBHOOK_REPLAYED, found.organization, actor, f"{endpoint.host}: {found.sequence}"
    )
    wake_workers(found.organization_id)
    return Delivery.objects.create(
        endpoint=endpoint,
        organization_id=found.organization_id,
        cursor=cursor,
        original=found,
        sequence=found.sequence,
        type=found.type,
        event_at=found.event_at,
    )


@transaction.atomic
def replay(
    endpoint: Endpoint,
    actor: Actor,
    *,
    organization: Organization | None = None,
    from_sequence: int | None = None,
    from_time: datetime | None = None,
) -> list[Replay]:
    """Send the events since a sequence or a time again, in their order, beside the new ones.

    Only what was sent, given up or skipped before: the rest is on its way anyhow. Events may so
    arrive twice, with the same ids. An endpoint of all organizations repeats those of one of them,
    or with `from_time` of all.
    Raises PermissionDenied, Endpoint.DoesNotExist, and refusals: UnknownEvents, ReplayRunning.
    """
    locked = lock_endpoint(endpoint, actor, Right.REPEAT)
    replays = plan(
        locked, organization=organization, from_sequence=from_sequence, from_time=from_time
    )
    Cursor.objects.bulk_create(
        Cursor(
            endpoint=locked,
            organization_id=found.organization_id,
            kind=Kind.REPLAY,
            position=found.from_sequence - 1,
            end=found.to_sequence,
        )
        for found in replays
    )
    detail = f"{locked.host}: {sum(found.events for found in replays)} events"
    log_audit(Action.WEBHOOK_REPLAYED, locked.organization, actor, detail)
    wake_workers(locked.organization_id)
    return replays


def plan(
    endpoint: Endpoint,
    *,
    organization: Organization | None = None,
    from_sequence: int | None = None,
    from_time: datetime | None = None,
) -> list[Replay]:
    """Return what `replay` would send again. Raises UnknownEvents and ReplayRunning."""
    live = Cursor.objects.filter(endpoint=endpoint, kind=Kind.LIVE)
    if organization is not None:
        live = live.filter(organization=organization)
    ends = dict(live.values_list("organization_id", "position"))
    first = _first_sequences(endpoint, live, from_sequence, from_time)
    starts = {pk: start for pk, start in first.items() if start <= ends[pk]}
    if not starts:
        raise refusals.UnknownEvents
    running = Cursor.objects.filter(endpoint=endpoint, kind=Kind.REPLAY, position__lt=F("end"))
    if running.filter(organization__in=starts).exists():
        raise refusals.ReplayRunning
    return [
        Replay(pk, start, ends[pk], _events(endpoint, pk, start, ends[pk]).count())
        for pk, start in starts.items()
    ]


def _first_sequences(
    endpoint: Endpoint,
    live: QuerySet[Cursor],
    from_sequence: int | None,
    from_time: datetime | None,
) -> dict[int, int]:
    """Return the first sequence to send again by organization."""
    since = Q(sequence__gte=from_sequence) if from_sequence is not None else Q(at__gte=from_time)
    events = Event.objects.filter(since, organization__in=live.values("organization"))
    if endpoint.types:
        events = events.filter(type__in=endpoint.types)
    first = events.order_by().values("organization").annotate(first=Min("sequence"))
    return dict(first.values_list("organization_id", "first"))


def _events(endpoint: Endpoint, organization_id: int, start: int, end: int) -> QuerySet[Event]:
    found = Event.objects.filter(organization=organization_id, sequence__range=(start, end))
    return found.filter(type__in=endpoint.types) if endpoint.types else found


def _require_room(endpoint: Endpoint) -> None:
    by_hand = Cursor.objects.filter(endpoint=endpoint, kind__in=[Kind.TEST, Kind.RESEND])
    if by_hand.filter(position__lt=F("end")).count() >= BY_HAND_AT_ONCE:
        raise refusals.TooManyTests(retry_after=10)
