"""What an attempt means for its delivery and for the cursor. Nothing here is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from outbound.errors import Kind
from webhooks.models import Attempt, Cursor, Delivery
from webhooks.schedule import next_try, parse_retry_after


class Failure(StrEnum):
    """Why an attempt failed, beside the kinds of `outbound.errors`."""

    STATUS = "status"  # an answer, but none of 200 to 299
    REDIRECT = "redirect"
    GONE = "gone"  # 410: it wants no more
    INTERNAL = "internal"  # our own bug; the log says more


SLOW_FAILURES = frozenset({Kind.TIMED_OUT.value, Kind.CONNECT.value})
"""Failures that hold a socket for long."""


@dataclass(frozen=True)
class Result:
    """What one attempt brought. `failure` is empty when the event was taken."""

    failure: str
    milliseconds: int
    status: int | None = None
    answer: str | None = None
    retry_after: timedelta | None = None


def of_status(
    status: int, milliseconds: int, answer: str, retry_after: str | None, at: datetime
) -> Result:
    """Return what an answer means."""
    if 200 <= status < 300:
        return Result("", milliseconds, status, answer)
    failure = Failure.STATUS
    if status == HTTPStatus.GONE:
        failure = Failure.GONE
    elif 300 <= status < 400:
        failure = Failure.REDIRECT
    asked = parse_retry_after(retry_after, at)
    return Result(failure, milliseconds, status, answer, asked)


def settle(cursor: Cursor, delivery: Delivery, result: Result, at: datetime) -> Attempt:
    """Bring a delivery and its cursor to what an attempt meant, and return the attempt.

    The delivery is over unless it is being tried again; then the cursor waits for it.
    """
    State = Delivery.State
    delivery.tries += 1
    delivery.status, delivery.failure = result.status, result.failure
    delivery.milliseconds, delivery.next_at = result.milliseconds, None
    cursor.slow = result.failure in SLOW_FAILURES
    if not result.failure:
        delivery.state = State.DELIVERED
    elif cursor.kind == Cursor.Kind.TEST:
        delivery.state = State.DEAD
    elif result.failure == Failure.GONE:
        # The endpoint is disabled; enabling it tries again.
        delivery.state, cursor.due_at = State.RETRYING, at
    else:
        delivery.next_at = next_try(delivery.tries, at, result.retry_after)
        delivery.state = State.RETRYING if delivery.next_at else State.DEAD
        cursor.due_at = delivery.next_at or at
    if delivery.state != State.RETRYING:
        delivery.ended_at, cursor.position = at, delivery.sequence
    return Attempt(
        delivery=delivery,
        endpoint_id=delivery.endpoint_id,
        number=delivery.tries,
        at=at,
        status=result.status,
        failure=result.failure,
        milliseconds=result.milliseconds,
        answer=result.answer or None,
    )


def drop(delivery: Delivery, at: datetime) -> None:
    """End a delivery whose event was deleted from the log."""
    delivery.state, delivery.next_at, delivery.ended_at = Delivery.State.DROPPED, None, at
