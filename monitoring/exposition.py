"""The figures as Prometheus reads them. Names, units and meanings are in docs/monitoring.md."""

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
from monitoring import gauges
from monitoring.counters import Histogram, Totals, TotalsReader
from monitoring.gauges import Gauges

PREFIX = "whatsapp_orgs_"
STATUSES = ("alive", "draining", "silent")


class Figures:
    """Reads the figures from the database, for one thread at a time."""

    def __init__(self) -> None:
        self._totals = TotalsReader()
        self._lock = threading.Lock()

    def read(self) -> tuple[Gauges, Totals, float]:
        """Return the gauges, the totals, and how many seconds it took to read them."""
        with self._lock:
            begun = time.perf_counter()
            return gauges.read(), self._totals.read(), time.perf_counter() - begun


def text(
    checks: Mapping[str, bool], open_sockets: int, read: tuple[Gauges, Totals, float] | None
) -> str:
    """Return the whole page. `read` is None when the database does not answer."""
    found: list[Metric] = [*_of_process(checks, open_sockets, read is not None)]
    if read is not None:
        now, totals, seconds = read
        found += [*_of_fleet(now), *_of_workers(now), *_of_history(totals), *_of_logins(now)]
        found.append(_gauge("scrape_seconds", "Time to read these figures.", seconds))
        found.append(
            _gauge("database_seconds", "Round trip to the database.", now.database_seconds)
        )
    registry = CollectorRegistry()
    registry.register(_Collected(found))
    ProcessCollector(registry=registry)
    return generate_latest(registry).decode()


class _Collected:
    """A collector of metrics that are made already."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, told, value=value)


def _gauges(name: str, told: str, label: str, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, told, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def _of_process(checks: Mapping[str, bool], open_sockets: int, complete: bool) -> Iterator[Metric]:
    yield _gauges("ready", "1: this check of readiness is well.", "check", checks)
    yield _gauge("open_websockets", "WebSockets that this process holds.", open_sockets)
    yield _gauge("scrape_complete", "0: the database could not be read.", complete)


def _of_fleet(now: Gauges) -> Iterator[Metric]:
    organizations = GaugeMetricFamily(
        PREFIX + "organizations",
        "Organizations as readers see them.",
        labels=["state", "reason"],
    )
    for (state, reason), count in sorted(now.organizations.items()):
        organizations.add_metric([state, reason], count)
    yield organizations
    sections = {section: now.sections[section] for section in Section}
    yield _gauges(
        "section_organizations", "Organizations by section of the fleet page.", "section", sections
    )
    desired = {wanted: now.desired[wanted] for wanted in Desired}
    yield _gauges("desired_organizations", "Organizations by what people want.", "desired", desired)
    yield _gauge(
        "unattended_organizations",
        "Organizations that need a worker and have none.",
        now.unattended,
    )
    yield _gauge("open_bulk_runs", "Requests about many that are under way.", now.bulk_runs)
    yield _gauge("open_bulk_items", "Connections still to be done of them.", now.bulk_items)
    yield _gauge("usable_owner_links", "Links for owners that can be used.", now.owner_links)


def _of_workers(now: Gauges) -> Iterator[Metric]:
    counted = dict.fromkeys(STATUSES, 0)
    for worker in now.workers:
        counted[now.status_of(worker)] += 1
    yield _gauges("workers", "Workers that have not been stopped, by status.", "status", counted)
    for name, told, values in (
        ("worker_heartbeat_age_seconds", "Since its last sign of life.", now.heartbeat_age),
        ("worker_sessions", "Organizations it had at that time.", lambda w: w.sessions),
        ("worker_hosts", "Host processes it had at that time.", lambda w: w.hosts),
        ("worker_owned", "Organizations that are its own.", lambda w: now.owned[w.pk]),
        ("worker_draining", "1: it hands over.", lambda w: w.draining_since is not None),
    ):
        ages = {worker.pk: float(values(worker)) for worker in now.workers}
        yield _gauges(name, told, "worker", ages)
    bounded = {worker.pk: worker.capacity for worker in now.workers if worker.capacity}
    yield _gauges("worker_capacity", "Organizations that it takes at most.", "worker", bounded)
    yield _gauge(
        "client_outdated_seconds",
        "For how long WhatsApp has refused this version of the client; 0: it does not.",
        now.outdated_seconds(),
    )


def _of_logins(now: Gauges) -> Iterator[Metric]:
    ever = now.logins.get("ever", 0)
    yield CounterMetricFamily(PREFIX + "failed_logins", "Wrong passwords and codes.", ever)
    limited = {"name": now.logins.get("names", 0), "network": now.logins.get("networks", 0)}
    yield _gauges("limited_logins", "Names and networks that wait with a login.", "limit", limited)


def _of_history(totals: Totals) -> Iterator[Metric]:
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
        _fill(codes, [method], totals.codes.get(method) or Totals().code_seconds(method))
    yield codes
    recoveries = HistogramMetricFamily(
        PREFIX + "recovery_seconds", "From reconnecting to connected.", labels=[]
    )
    _fill(recoveries, [], totals.recoveries)
    yield recoveries
    events = CounterMetricFamily(PREFIX + "events", "Lines of the history.", labels=["observation"])
    for observation in RULES:
        events.add_metric([observation], totals.events[observation])
    yield events


def _fill(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    family.add_metric(labels, histogram.buckets(), histogram.total)
