"""Endpoints, deliveries and attempts as the API tells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from events.models import Event
from webhooks.actions.repeats import Replay
from webhooks.endpoint_stats import Backlog, backlog_of
from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.sentences import failure_sentence, state_sentence

Json = dict[str, Any]


def endpoints_json(endpoints: Sequence[Endpoint], *, whole_url: bool) -> list[Json]:
    """Return endpoints. Path and query of a URL are secret; without `whole_url` it is null."""
    backlog = backlog_of(endpoints)
    return [
        _endpoint(endpoint, backlog[endpoint.pk], whole_url=whole_url) for endpoint in endpoints
    ]


def endpoint_json(endpoint: Endpoint, *, whole_url: bool) -> Json:
    """Return one endpoint."""
    return endpoints_json([endpoint], whole_url=whole_url)[0]


def _endpoint(endpoint: Endpoint, backlog: Backlog, *, whole_url: bool) -> Json:
    return {
        "id": endpoint.public_id,
        "organization": endpoint.organization_id,
        "url": endpoint.url if whole_url else None,
        "host": endpoint.host,
        "types": endpoint.types,
        "format": endpoint.format,
        "state": endpoint.state,
        "reason": endpoint.reason or None,
        "sentence": state_sentence(endpoint) or None,
        "stateSince": _iso(endpoint.state_since),
        "createdAt": _iso(endpoint.created_at),
        "madeBy": endpoint.made_by,
        "lastSuccessAt": _iso(endpoint.last_success_at),
        "failingSince": _iso(endpoint.failing_since),
        "oldSecretUntil": _iso(endpoint.old_secret_until),
        "waiting": {
            "events": backlog.events,
            "nextAt": _iso(backlog.next_at),
            "sentence": backlog.sentence,
        },
    }


def delivery_json(delivery: Delivery) -> Json:
    """Return a delivery without what was sent."""
    is_test = delivery.cursor.kind == Cursor.Kind.TEST
    return {
        "id": delivery.public_id,
        "webhookId": delivery.webhook_id,
        "kind": delivery.cursor.kind,
        "repeats": delivery.original.public_id if delivery.original else None,
        "organization": delivery.organization_id,
        "sequence": None if is_test else delivery.sequence,
        "type": delivery.type,
        "eventAt": _iso(delivery.event_at),
        "state": delivery.state,
        "tries": delivery.tries,
        "nextAt": _iso(delivery.next_at),
        "createdAt": _iso(delivery.created_at),
        "endedAt": _iso(delivery.ended_at),
        **_result(delivery),
    }


def whole_delivery_json(
    delivery: Delivery, attempts: Iterable[Attempt], event: Event | None, *, texts: bool
) -> Json:
    """Return a delivery with its attempts; with `texts` also what was sent and what came back."""
    return {
        **delivery_json(delivery),
        "event": _event(event) if texts and event else None,
        "attempts": [
            {
                "number": attempt.number,
                "at": _iso(attempt.at),
                **_result(attempt),
                "answer": attempt.answer if texts else None,
            }
            for attempt in attempts
        ],
    }


def replays_json(replays: Sequence[Replay]) -> Json:
    """Return what is sent again."""
    return {
        "events": sum(replay.events for replay in replays),
        "replays": [
            {
                "organization": replay.organization_id,
                "fromSequence": replay.from_sequence,
                "toSequence": replay.to_sequence,
                "events": replay.events,
            }
            for replay in replays
        ],
    }


def _result(row: Delivery | Attempt) -> Json:
    return {
        "status": row.status,
        "failure": row.failure or None,
        "sentence": failure_sentence(row.failure, row.status) or None,
        "milliseconds": row.milliseconds,
    }


def _event(event: Event) -> Json:
    return {
        "sequence": event.sequence,
        "type": event.type,
        "at": _iso(event.at),
        "data": event.data,
    }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
