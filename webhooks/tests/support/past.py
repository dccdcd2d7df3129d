"""Deliveries of the past, as a worker would have stored them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.outcomes import Failure

State = Delivery.State

SECRET_PATH = "/hooks/e7d1?key=planted"
URL = f"http://crm.example.com:8080{SECRET_PATH}"
HOST = "crm.example.com:8080"


def deliver(
    endpoint: Endpoint,
    sequence: int,
    *,
    state: str = State.DELIVERED,
    status: int = 200,
    answer: str = "",
    ago: timedelta = timedelta(0),
    milliseconds: int = 120,
    **fields: Any,
) -> Delivery:
    """Store a delivery of an event with one attempt, and move the cursor behind it."""
    cursor = Cursor.objects.get(endpoint=endpoint, kind=Cursor.Kind.LIVE)
    at, failed = timezone.now() - ago, state != State.DELIVERED
    failure = str(Failure.STATUS) if failed else ""
    delivery = Delivery.objects.create(
        endpoint=endpoint,
        organization=cursor.organization,
        cursor=cursor,
        sequence=sequence,
        type="message.received",
        event_at=at,
        created_at=at,
        state=state,
        tries=1,
        status=status,
        failure=failure,
        milliseconds=milliseconds,
        ended_at=None if state == State.RETRYING else at,
        next_at=at + timedelta(hours=1) if state == State.RETRYING else None,
        **fields,
    )
    Attempt.objects.create(
        delivery=delivery,
        endpoint=endpoint,
        number=1,
        at=at,
        status=status,
        failure=failure,
        milliseconds=milliseconds,
        answer=answer or None,
    )
    if state != State.RETRYING:
        Cursor.objects.filter(pk=cursor.pk).update(position=sequence)
    field = "failing_since" if failed else "last_success_at"
    Endpoint.objects.filter(pk=endpoint.pk).update(**{field: at})
    return delivery


def fail_for(endpoint: Endpoint, ago: timedelta) -> None:
    """Let an endpoint fail since then."""
    Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=timezone.now() - ago)
