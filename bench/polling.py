"""Statuses that nobody asks for twice within a second: the cost of an answer, and their number.

With one web process and with two, in which the same clients ask for many organizations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench import fleet, load
from bench.fleet import Statuses
from bench.plan import Plan, part, running, turns
from bench.product import OneWeb, Production
from bench.report import Report, Target
from bench.service import Service

CPU_GOAL = Target(at_most=2.0)


def many(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure the answers for organizations without a link, of fresh services."""
    with running(kinds) as services:
        statuses_of_many(services, plan, report)


def statuses_of_many(services: Sequence[Service], plan: Plan, report: Report) -> None:
    """Measure the answers for organizations without a link."""
    organizations = {one.name: one.many_organizations(plan.many) for one in services}

    def take(service: Service) -> Statuses:
        return fleet.ask_statuses(service, organizations[service.name], plan.status_seconds)

    turns(services, 1, take)  # Warm up.
    found = turns(services, plan.rounds, take)
    add_statuses(report, "many", f"{plan.many:,} not linked", found, plan.many)
    if Production.name in found and OneWeb.name in found:
        rates = zip(found[Production.name], found[OneWeb.name], strict=True)
        scaling = {Production.name: [two.rate / one.rate for two, one in rates]}
        report.add("many_scaling", "answers with two web processes by those with one", "×", scaling)


def add_statuses(
    report: Report, key: str, what: str, found: Mapping[str, Sequence[Statuses]], asked: int
) -> None:
    """Add what was measured of `GET status` of so many organizations, once a second each."""
    clients = f"GET status, {fleet.STATUS_CLIENTS} clients, {what}"
    report.add(f"{key}_cpu", f"{clients}: CPU of an answer", "ms", part(found, 2), CPU_GOAL)
    limit = asked / load.INTERVAL_SECONDS
    report.add(f"{key}_rate", "… answers", "answers/s", part(found, 0), limit=limit)
    report.add(f"{key}_latency", "… time to an answer", "ms", part(found, 1))
