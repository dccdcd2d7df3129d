"""What waits for endpoints, and how well they answer; for many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Avg, Count, F, Q
from django.utils import timezone

from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.schedule import MAX_TRIES
from webhooks.sentences import failure_sentence, waiting_sentence

Kind = Cursor.Kind


@dataclass(frozen=True)
class Backlog:
    """How many events wait for an endpoint, when it is tried again, and why in a sentence.

    `why`: only why the last attempt failed, "" when it did not.
    """

    events: int
    next_at: datetime | None
    tries: int
    sentence: str
    why: str = ""
    max_tries: int = MAX_TRIES


@dataclass(frozen=True)
class Health:
    """The attempts at an endpoint since a time. `milliseconds`: the mean of the successful ones."""

    attempts: int = 0
    succeeded: int = 0
    milliseconds: int | None = None


def backlog_of(endpoints: Sequence[Endpoint]) -> dict[int, Backlog]:
    """Return what waits for each endpoint, by its key."""
    heads = _heads(endpoints)
    counts = _counts(endpoints)
    found = {}
    for endpoint in endpoints:
        head = heads.get(endpoint.pk)
        events = counts.get(endpoint.pk, 0)
        found[endpoint.pk] = Backlog(
            events,
            head.next_at if head else None,
            head.tries if head else 0,
            waiting_sentence(endpoint, events, head),
            failure_sentence(head.failure, head.status) if head else "",
        )
    return found


def _heads(endpoints: Sequence[Endpoint]) -> dict[int, Delivery]:
    """Return the failed delivery that others wait for, by endpoint; the next to be tried."""
    retrying = Delivery.objects.filter(
        endpoint__in=endpoints, state=Delivery.State.RETRYING, cursor__kind=Kind.LIVE
    )
    found: dict[int, Delivery] = {}
    for delivery in retrying.order_by(F("next_at").asc(nulls_last=True)):
        found.setdefault(delivery.endpoint_id, delivery)
    return found


def _counts(endpoints: Sequence[Endpoint]) -> dict[int, int]:
    """Count the events that each endpoint has not got yet, by its key; none: it is left out."""
    wanted = Q(endpoint__in=[endpoint for endpoint in endpoints if not endpoint.types])
    for endpoint in endpoints:
        if endpoint.types:
            wanted |= Q(endpoint=endpoint, organization__log__type__in=endpoint.types)
    behind = Cursor.objects.filter(
        wanted, kind=Kind.LIVE, organization__log__sequence__gt=F("position")
    )
    counted = behind.order_by().values("endpoint").annotate(events=Count("organization__log"))
    return dict(counted.values_list("endpoint", "events"))


def health_of(endpoints: Sequence[Endpoint], since: datetime) -> dict[int, Health]:
    """Return how the attempts since a time went, by endpoint."""
    attempts = Attempt.objects.filter(endpoint__in=endpoints, at__gte=since, at__lte=timezone.now())
    rows = (
        attempts.order_by()
        .values("endpoint")
        .annotate(
            attempts=Count("pk"),
            succeeded=Count("pk", filter=Q(failure="")),
            mean=Avg("milliseconds", filter=Q(failure="")),
        )
    )
    found = {
        row["endpoint"]: Health(
            row["attempts"],
            row["succeeded"],
            None if row["mean"] is None else round(row["mean"]),
        )
        for row in rows
    }
    return {endpoint.pk: found.get(endpoint.pk, Health()) for endpoint in endpoints}
