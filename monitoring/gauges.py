"""The current figures over all organizations, read in a fixed number of queries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db.models import BooleanField, Count, ExpressionWrapper, Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from connections.display import Section, display_of
from connections.lifecycle import Desired, Reason, State
from connections.models import BulkItem, BulkRun, Connection, OwnerLink, Worker, Workforce
from connections.models.conditions import not_started_q
from connections.phone_silence import ACTION_DAYS, last_heard_before
from connections.status import ConnectionStatus, status_of_row
from messaging.models import UNSENT_STATES, Message
from monitoring import notice_gauges, webhook_gauges
from monitoring.notice_gauges import NoticeFigures
from monitoring.webhook_gauges import WebhookFigures
from organizations.login import throttle
from organizations.models import Organization

# How long a silent worker is reported.
SILENT_FOR = timedelta(hours=1)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Gauges:
    """Counts of organizations, the workers, and counts of open things."""

    organizations: Counter[tuple[State, Reason]] = field(default_factory=Counter)
    sections: Counter[Section] = field(default_factory=Counter)
    desired: Counter[Desired] = field(default_factory=Counter)
    unattended: int = 0
    owned: Counter[int] = field(default_factory=Counter)
    workers: list[Worker] = field(default_factory=list)
    now: datetime = LONG_AGO
    bulk_runs: int = 0
    bulk_items: int = 0
    owner_links: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    """The messages that are not at their end, by state."""
    oldest_message_seconds: float = 0.0
    webhooks: WebhookFigures = field(default_factory=WebhookFigures)
    notices: NoticeFigures = field(default_factory=NoticeFigures)
    logins: dict[str, int] = field(default_factory=dict)
    """All failed logins ("all"), and what is limited, by kind."""
    database_seconds: float = 0.0

    def heartbeat_age(self, worker: Worker) -> float:
        """Return the seconds since a worker's heartbeat, by the database's clock."""
        return max(0.0, (self.now - worker.heartbeat_at).total_seconds())

    def status_of(self, worker: Worker) -> str:
        if self.heartbeat_age(worker) > Worker.OFFLINE_AFTER.total_seconds():
            return "silent"
        return "alive" if worker.draining_since is None else "draining"

    def outdated_seconds(self) -> float:
        """Return for how many seconds WhatsApp has refused a living worker's version; 0: not."""
        since = [
            worker.outdated_since
            for worker in self.workers
            if worker.outdated_since and self.status_of(worker) != "silent"
        ]
        return max(0.0, (self.now - min(since)).total_seconds()) if since else 0.0


def read() -> Gauges:
    """Read all gauges."""
    gauges = Gauges(database_seconds=_round_trip())
    _read_workers(gauges)
    for status, count in _status_groups(gauges):
        gauges.organizations[(status.state, status.reason)] += count
        gauges.sections[display_of(status).section] += count
        gauges.desired[Desired(status.connection.desired)] += count
        if status.unowned and not status.inactive:
            gauges.unattended += count
        if status.connection.worker is not None:
            gauges.owned[status.connection.worker.pk] += count
    gauges.bulk_runs, gauges.bulk_items = _open_bulk()
    gauges.owner_links = _open_owner_links()
    _read_messages(gauges)
    gauges.webhooks = webhook_gauges.read()
    gauges.notices = notice_gauges.read()
    gauges.logins = throttle.totals()
    return gauges


def _round_trip() -> float:
    """Return the seconds of the smallest query, on an open connection."""
    database.ensure_connection()
    started = time.perf_counter()
    with database.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return time.perf_counter() - started


def _read_workers(gauges: Gauges) -> None:
    recent = Worker.objects.filter(stopped_at=None, heartbeat_at__gte=Now() - SILENT_FOR)
    gauges.workers = list(recent.annotate(now=Now()).order_by("pk"))
    database_times: list[datetime] = [vars(worker)["now"] for worker in gauges.workers]
    gauges.now = database_times[0] if database_times else timezone.now()


def _status_groups(gauges: Gauges) -> Iterator[tuple[ConnectionStatus, int]]:
    """Yield a status and its number of organizations, for each group of equal rows."""
    alive = (worker for worker in gauges.workers if gauges.status_of(worker) != "silent")
    workforce = Workforce.of(alive)
    workers = {worker.pk: worker for worker in gauges.workers}
    groups = (
        Organization.objects.present()
        .order_by()
        .values(
            *("connection__state", "connection__reason", "connection__desired"),
            *("connection__logout_pending", "connection__worker_id"),
            never_linked=boolean_column(
                Q(connection__number="", connection__last_number="", connection__store_name="")
            ),
            inactive=boolean_column(Q(deactivated_at__isnull=False)),
            not_started=boolean_column(not_started_q("connection__")),
            phone_silent=boolean_column(last_heard_before(ACTION_DAYS, "connection__")),
        )
        .annotate(count=Count("pk"))
    )
    for group in groups:
        yield status_of_row(_connection_of_group(group, workers), workforce), group["count"]


def boolean_column(condition: Q) -> ExpressionWrapper[Any]:
    """Return a column that says whether a condition holds."""
    return ExpressionWrapper(condition, output_field=BooleanField())


def _connection_of_group(group: dict[str, Any], workers: dict[int, Worker]) -> Connection:
    """Return a connection with the values of a group; a new one if there is no row."""
    organization = Organization(deactivated_at=LONG_AGO if group["inactive"] else None)
    if group["connection__state"] is None:
        return Connection(organization=organization, last_number="")
    owner = group["connection__worker_id"]
    return Connection(
        organization=organization,
        state=group["connection__state"],
        reason=group["connection__reason"],
        desired=group["connection__desired"],
        logout_pending=group["connection__logout_pending"],
        generation=1 if group["not_started"] else 0,
        last_number="" if group["never_linked"] else "linked before",
        phone_seen_at=LONG_AGO if group["phone_silent"] else None,
        worker=owner and workers.get(owner, Worker(pk=owner, heartbeat_at=LONG_AGO)),
    )


def _read_messages(gauges: Gauges) -> None:
    """Read the messages that wait or are being sent; their partial index holds no others."""
    waiting = Message.objects.filter(state__in=UNSENT_STATES).order_by()
    rows = waiting.values_list("state").annotate(Count("pk"), Min("created_at"))
    for state, count, oldest in rows:
        gauges.messages[state] = count
        if state == Message.State.QUEUED:
            age = (timezone.now() - oldest).total_seconds()
            gauges.oldest_message_seconds = max(0.0, age)


def _open_bulk() -> tuple[int, int]:
    """Return how many bulk runs are open, and how many of their items."""
    runs = BulkRun.objects.filter(ended_at=None)
    open_items = Count("items", filter=Q(items__result__in=BulkItem.OPEN))
    open_counts = list(runs.annotate(open_items=open_items).values_list("open_items", flat=True))
    return len(open_counts), sum(open_counts)


def _open_owner_links() -> int:
    """Return how many owner's links can still be used."""
    links = OwnerLink.objects.filter(revoked_at=None, used_at=None, expires_at__gt=timezone.now())
    return links.count()
