"""Write the metrics in Prometheus' format. docs/monitoring.md explains their names and units."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from connections.display import Section
from connections.lifecycle import RULES, Desired
from connections.models import Method, PairingAttempt
from messaging.models import UNSENT_STATES
from monitoring import gauges
from monitoring.counters import TotalsReader
from monitoring.gauges import Gauges
from monitoring.notice_gauges import ENDS, NoticeFigures
from monitoring.totals import Histogram, Totals
from monitoring.webhook_gauges import STATES, WebhookFigures
from webhooks.models import BOUNDS, Total

PREFIX = "whatsapp_orgs_"
STATUSES = ("alive", "draining", "silent")
DELIVERIES = (Total.Kind.DELIVERED, Total.Kind.DEAD, Total.Kind.DROPPED)
LOGIN_LIMITS = ("name", "account", "browser", "network")
ATTEMPTS = (Total.Kind.TAKEN, Total.Kind.FAILED)


class MetricsReader:
    """Reads the metrics from the database, in one thread at a time."""

    def __init__(self) -> None:
        self._totals = TotalsReader()
        self._lock = threading.Lock()

    def read(self) -> tuple[Gauges, Totals, float]:
        """Return the gauges, the totals, and how many seconds it took to read them."""
        with self._lock:
            started = time.perf_counter()
            return gauges.read(), self._totals.read(), time.perf_counter() - started


def text(
    checks: Mapping[str, bool], open_sockets: int, read: tuple[Gauges, Totals, float] | None
) -> str:
    """Return the whole page. `read` is None when the database does not answer."""
    metrics: list[Metric] = [*_process_metrics(checks, open_sockets, read is not None)]
    if read is not None:
        gauges_read, totals, seconds = read
        metrics += [
            *_fleet_metrics(gauges_read),
            *_worker_metrics(gauges_read),
            *_history_metrics(totals),
            *_webhook_metrics(gauges_read.webhooks),
            *_notice_metrics(gauges_read.notices),
            *_login_metrics(gauges_read),
        ]
        metrics.append(_gauge("scrape_seconds", "Time to read these figures.", seconds))
        metrics.append(
            _gauge("database_seconds", "Round trip to the database.", gauges_read.database_seconds)
        )
    registry = CollectorRegistry()
    registry.register(_StaticCollector(metrics))
    ProcessCollector(registry=registry)
    return generate_latest(registry).decode()


class _StaticCollector:
    """A collector that returns given metrics."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, help_text, value=value)


def _gauges(name: str, help_text: str, label: str, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def _process_metrics(
    checks: Mapping[str, bool], open_sockets: int, complete: bool
) -> Iterator[Metric]:
    yield _gauges("ready", "1: this check of readiness is well.", "check", checks)
    yield _gauge("open_websockets", "WebSockets that this process holds.", open_sockets)
    yield _gauge("scrape_complete", "0: the database could not be read.", complete)


def _fleet_metrics(gauges_read: Gauges) -> Iterator[Metric]:
    organizations = GaugeMetricFamily(
        PREFIX + "organizations",
        "Organizations as readers see them.",
        labels=["state", "reason"],
    )
    for (state, reason), count in sorted(gauges_read.organizations.items()):
        organizations.add_metric([state, reason], count)
    yield organizations
    sections = {section: gauges_read.sections[section] for section in Section}
    yield _gauges(
        "section_organizations", "Organizations by section of the fleet page.", "section", sections
    )
    desired = {value: gauges_read.desired[value] for value in Desired}
    yield _gauges("desired_organizations", "Organizations by what people want.", "desired", desired)
    yield _gauge(
        "unattended_organizations",
        "Organizations that need a worker and have none.",
        gauges_read.unattended,
    )
    yield _gauge("open_bulk_runs", "Requests about many that are under way.", gauges_read.bulk_runs)
    yield _gauge("open_bulk_items", "Connections still to be done of them.", gauges_read.bulk_items)
    yield _gauge(
        "usable_owner_links", "Links for owners that can be used.", gauges_read.owner_links
    )
    messages = {state.value: gauges_read.messages[state] for state in UNSENT_STATES}
    yield _gauges("waiting_messages", "Messages that are not sent yet.", "state", messages)
    yield _gauge(
        "oldest_queued_message_seconds",
        "Age of the oldest message that waits for its turn.",
        gauges_read.oldest_message_seconds,
    )


def _worker_metrics(gauges_read: Gauges) -> Iterator[Metric]:
    workers_by_status = dict.fromkeys(STATUSES, 0)
    for worker in gauges_read.workers:
        workers_by_status[gauges_read.status_of(worker)] += 1
    yield _gauges(
        "workers", "Workers that have not been stopped, by status.", "status", workers_by_status
    )
    for name, help_text, values in (
        ("worker_heartbeat_age_seconds", "Since its last sign of life.", gauges_read.heartbeat_age),
        ("worker_sessions", "Organizations it had at that time.", lambda w: w.sessions),
        ("worker_hosts", "Host processes it had at that time.", lambda w: w.hosts),
        ("worker_owned", "Organizations that are its own.", lambda w: gauges_read.owned[w.pk]),
        ("worker_draining", "1: it hands over.", lambda w: w.draining_since is not None),
    ):
        values_by_worker = {worker.pk: float(values(worker)) for worker in gauges_read.workers}
        yield _gauges(name, help_text, "worker", values_by_worker)
    capacities = {worker.pk: worker.capacity for worker in gauges_read.workers if worker.capacity}
    yield _gauges("worker_capacity", "Organizations that it takes at most.", "worker", capacities)
    yield _gauge(
        "client_outdated_seconds",
        "For how long WhatsApp has refused this version of the client; 0: it does not.",
        gauges_read.outdated_seconds(),
    )


def _webhook_metrics(figures: WebhookFigures) -> Iterator[Metric]:
    for name, help_text, values in (
        ("webhooks", "Webhooks by state.", figures.webhooks),
        ("waiting_webhook_events", "Events that webhooks have not got yet.", figures.waiting),
        (
            "oldest_waiting_webhook_event_seconds",
            "Age of the oldest of them.",
            figures.oldest_seconds,
        ),
    ):
        yield _gauges(name, help_text, "state", {state: values.get(state, 0) for state in STATES})
    deliveries = CounterMetricFamily(
        PREFIX + "webhook_deliveries", "Deliveries that are over.", labels=["outcome"]
    )
    for kind in DELIVERIES:
        deliveries.add_metric([kind], sum(row.count for row in figures.totals if row.kind == kind))
    yield deliveries
    attempts = HistogramMetricFamily(
        PREFIX + "webhook_attempt_seconds", "From a request to its answer.", labels=["outcome"]
    )
    for kind in ATTEMPTS:
        histogram = Histogram(BOUNDS)
        for row in figures.totals:
            if row.kind == kind:
                histogram.counts[row.bucket] += row.count
                histogram.total += row.milliseconds / 1000
        _add_histogram(attempts, [kind], histogram)
    yield attempts


def _notice_metrics(figures: NoticeFigures) -> Iterator[Metric]:
    yield _gauge("waiting_notices", "Notices that have not left yet.", figures.open["waiting"])
    yield _gauge("failed_notices", "Notices that were given up.", figures.open["failed"])
    over = CounterMetricFamily(PREFIX + "notices", "Notices that are over.", labels=["state"])
    for state in ENDS:
        over.add_metric([state], figures.totals[state])
    yield over


def _login_metrics(gauges_read: Gauges) -> Iterator[Metric]:
    total = gauges_read.logins.get("all", 0)
    yield CounterMetricFamily(PREFIX + "failed_logins", "Wrong passwords and codes.", total)
    limited = {kind: gauges_read.logins.get(kind, 0) for kind in LOGIN_LIMITS}
    help_text = "Names, accounts, browsers and networks that wait with a login."
    yield _gauges("limited_logins", help_text, "limit", limited)


def _history_metrics(totals: Totals) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        PREFIX + "attempts", "Pairing attempts that have ended.", labels=["method", "outcome"]
    )
    for method in Method.values:
        for outcome in PairingAttempt.Outcome.values:
            attempts.add_metric([method, outcome], totals.attempts[(method, outcome)])
    yield attempts
    under_way = {method: totals.attempts[(method, "")] for method in Method.values}
    yield _gauges("open_attempts", "Pairing attempts under way.", "method", under_way)
    codes = HistogramMetricFamily(
        PREFIX + "code_seconds", "From a request to its first code.", labels=["method"]
    )
    for method in Method.values:
        _add_histogram(codes, [method], totals.codes.get(method) or Totals().code_seconds(method))
    yield codes
    recoveries = HistogramMetricFamily(
        PREFIX + "recovery_seconds", "From reconnecting to connected.", labels=[]
    )
    _add_histogram(recoveries, [], totals.recoveries)
    yield recoveries
    events = CounterMetricFamily(PREFIX + "events", "Lines of the history.", labels=["observation"])
    for observation in RULES:
        events.add_metric([observation], totals.events[observation])
    yield events


def _add_histogram(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    family.add_metric(labels, histogram.buckets(), histogram.total)
