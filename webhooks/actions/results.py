"""Store what workers have done for many cursors, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from messaging.actions.row_updates import save_rows
from organizations.access import Actor
from organizations.audit import Action, log_audit
from webhooks.actions import given_up, totals
from webhooks.actions.states import change_state
from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.outcomes import Failure
from webhooks.schedule import DISABLE_AFTER

logger = logging.getLogger(__name__)

SERVICE = Actor("delivery of webhooks")
SUCCESS_STEP = timedelta(seconds=5)
"""How exact the time of an endpoint's last success is, so that not every success writes it."""

DELIVERY_FIELDS = (
    *("state", "tries", "next_at", "ended_at"),
    *("status", "failure", "milliseconds"),
)
CURSOR_FIELDS = ("position", "due_at", "slow", "lease_owner", "lease_until")
SECRETS = ("url", "secret", "old_secret", "verify_token")


@dataclass
class Report:
    """What was done for one cursor since the last report.

    `revision`: of the endpoint that was used. `release`: the lease is given back.
    """

    cursor_id: int
    endpoint_id: int
    revision: int
    position: int
    due_at: datetime
    slow: bool
    created: list[Delivery] = field(default_factory=list)
    updated: list[Delivery] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    release: bool = False

    @property
    def deliveries(self) -> list[Delivery]:
        return [*self.created, *self.updated]


@transaction.atomic
def record(owner: str, reports: Sequence[Report]) -> set[int]:
    """Store reports of cursors that this worker leases. Return the cursors it shall not go on with.

    Storing the same again changes nothing but the totals of the metrics, so it may be tried again
    when a commit got no answer.
    """
    endpoints = _lock_endpoints(report.endpoint_id for report in reports)
    ids = [report.cursor_id for report in reports]
    held = Cursor.objects.select_for_update().filter(pk__in=ids, lease_owner=owner)
    cursors = {cursor.pk: cursor for cursor in held.order_by("pk")}
    kept = [report for report in reports if report.cursor_id in cursors]
    if len(kept) < len(reports):
        # Another worker sends the same events again, and stores that.
        logger.warning("leases of webhooks were lost", extra={"count": len(reports) - len(kept)})
    _store_deliveries(kept)
    for report in kept:
        _move(cursors[report.cursor_id], report)
    save_rows(cursors.values(), CURSOR_FIELDS)
    health = {endpoint.pk: _health(endpoint) for endpoint in endpoints.values()}
    for report in kept:
        _judge(endpoints[report.endpoint_id], cursors[report.cursor_id], report.attempts)
    for endpoint_id in _audit_given_up(kept, endpoints):
        given_up.report(endpoints[endpoint_id])
    changed = [found for found in endpoints.values() if _health(found) != health[found.pk]]
    save_rows(changed, ["failing_since", "last_success_at", "given_up_at"])
    going_on = {
        report.cursor_id
        for report in kept
        if _may_go_on(cursors[report.cursor_id], endpoints[report.endpoint_id], report.revision)
    }
    totals.add(
        (delivery for report in kept for delivery in report.deliveries),
        (attempt for report in kept for attempt in report.attempts),
    )
    return set(ids) - going_on


def _lock_endpoints(ids: Iterable[int]) -> dict[int, Endpoint]:
    """Lock endpoints, before their cursors as everywhere, and return them by key."""
    locked = Endpoint.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=set(ids))
    found = locked.select_related("organization").defer(*SECRETS).order_by("pk")
    return {endpoint.pk: endpoint for endpoint in found}


def _store_deliveries(reports: Collection[Report]) -> None:
    created = [delivery for report in reports for delivery in report.created]
    for delivery in created:
        delivery.pk = None  # When this is tried again, it has the key of a row that is not there.
    Delivery.objects.bulk_create(
        created,
        update_conflicts=True,
        unique_fields=["public_id"],
        update_fields=DELIVERY_FIELDS,
    )
    updated = [delivery for report in reports for delivery in report.updated]
    Delivery.objects.bulk_update(updated, DELIVERY_FIELDS)
    attempts = [attempt for report in reports for attempt in report.attempts]
    for attempt in attempts:
        attempt.delivery = attempt.delivery  # Takes the key that it has by now.
    Attempt.objects.bulk_create(attempts, ignore_conflicts=True)


def _move(cursor: Cursor, report: Report) -> None:
    cursor.position, cursor.slow = report.position, report.slow
    # Not while it goes on: a person who enables the endpoint has set it to now.
    if report.release:
        cursor.due_at, cursor.lease_owner, cursor.lease_until = report.due_at, "", None


def _health(endpoint: Endpoint) -> tuple[datetime | None, ...]:
    return endpoint.failing_since, endpoint.last_success_at, endpoint.given_up_at


def _judge(endpoint: Endpoint, cursor: Cursor, attempts: Iterable[Attempt]) -> None:
    """Note how an endpoint answers; disable it when it is gone, or fails for too long."""
    is_test = cursor.kind == Cursor.Kind.TEST
    for attempt in attempts:
        if attempt.failure == Failure.GONE:
            _disable(endpoint, Endpoint.Reason.GONE)
        elif is_test:
            continue
        elif not attempt.failure:
            endpoint.failing_since = None
            before = endpoint.last_success_at
            if before is None or attempt.at - before >= SUCCESS_STEP:
                endpoint.last_success_at = attempt.at
        elif endpoint.failing_since is None:
            endpoint.failing_since = attempt.at
        elif attempt.at - endpoint.failing_since >= DISABLE_AFTER:
            _disable(endpoint, Endpoint.Reason.FAILING)


def _disable(endpoint: Endpoint, reason: str) -> None:
    if endpoint.state == Endpoint.State.ENABLED:
        change_state(endpoint, Endpoint.State.DISABLED, reason, SERVICE)


def _audit_given_up(reports: Iterable[Report], endpoints: dict[int, Endpoint]) -> set[int]:
    """Announce the events that are given up. Return the keys of their endpoints."""
    found = set()
    for report in reports:
        for delivery in report.deliveries:
            if delivery.state != Delivery.State.DEAD or delivery.cursor.kind == Cursor.Kind.TEST:
                continue
            endpoint = endpoints[report.endpoint_id]
            fields = {
                "webhook": endpoint.public_id,
                "organization": delivery.organization_id,
                "sequence": delivery.sequence,
                "delivery": delivery.public_id,
            }
            logger.warning("an event for a webhook is given up", extra=fields)
            detail = f"{endpoint.host}: {delivery.sequence} ({delivery.type})"
            log_audit(Action.WEBHOOK_EVENT_GIVEN_UP, delivery.organization, SERVICE, detail)
            found.add(endpoint.pk)
    return found


def _may_go_on(cursor: Cursor, endpoint: Endpoint, revision: int) -> bool:
    """Return whether a worker may send on with what it has in memory."""
    enabled = endpoint.state == Endpoint.State.ENABLED or cursor.kind == Cursor.Kind.TEST
    return enabled and endpoint.deleted_at is None and endpoint.revision == revision
