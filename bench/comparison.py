"""Measure all figures of several services in turns, and set their targets."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench import fleet, forwarding, reconnect
from bench.forwarding import Talking, Times
from bench.linked import Linked
from bench.receiver import Receiver
from bench.report import Report, Target
from bench.service import Service

Result = TypeVar("Result")
Subject = TypeVar("Subject", Service, Linked, Talking)

UP_TO_20_PERCENT_MORE = Target(ratio=1.2)
TWENTY_PERCENT_LESS = Target(ratio=0.8)
NOT_MORE = Target(ratio=1.0)
STATUS_RATE = Target(at_least=450)
WAYS = {
    "received": "message in → at the webhook",
    "accepted": "API request → accepted",
    "arrived": "API request → at the person",
}
OUTAGE_SECONDS = 22.0
"""whatsmeow reconnects 0, 2, 6, 12, 20 and 30 s after a drop: this is just after an attempt."""


@dataclass(frozen=True)
class Plan:
    """The extent of a measurement."""

    sizes: tuple[int, ...] = (50, 200)
    rounds: int = 3
    each: int = 7
    crowd: int = 50
    outage: bool = False
    quiet_seconds: float = 5.0
    status_seconds: float = 5.0
    # Long enough for a keep-alive on each socket of both libraries.
    idle_seconds: float = 30.0
    messages: int = 15
    talking: int = 20
    talking_seconds: float = 20.0
    # Of each organization and each way, in a second.
    talking_rate: float = 0.2


def turns(
    subjects: Sequence[Subject], rounds: int, take: Callable[[Subject], Result]
) -> dict[str, list[Result]]:
    """Measure each subject in each round. They alternate, so that noise affects all of them."""
    results: dict[str, list[Result]] = {name_of(subject): [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else list(reversed(subjects)):
            results[name_of(subject)].append(take(subject))
    return results


def name_of(subject: Service | Linked) -> str:
    return subject.service.name if isinstance(subject, Linked) else subject.name


@contextmanager
def running(kinds: Sequence[type[Service]]) -> Iterator[list[Service]]:
    """Yield a running service of each kind, each with a data folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        places = [Path(folder) / kind.__name__.lower() for kind in kinds]
        pairs = zip(kinds, places, strict=True)
        yield [stack.enter_context(kind(place)) for kind, place in pairs]


def links(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure all figures of links, with fresh services for each half."""
    with running(kinds) as services:
        codes(services, plan, report)
    with running(kinds) as services:
        fleets = [Linked(service, plan.quiet_seconds) for service in services]
        costs(fleets, plan, report)
        recoveries(fleets, plan, report)


def messages(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure messages both ways: one after the other, and of many organizations at once."""
    with Receiver() as receiver, running(kinds) as services:
        talking = [Talking(service, receiver, plan.quiet_seconds) for service in services]
        for one in talking:
            one.talk(1)
        times = turns(
            talking, plan.rounds, lambda one: forwarding.one_at_a_time(one, plan.messages)
        )
        add_times(report, "one", "one at a time", times)
        for one in talking:
            one.talk(plan.talking)
        rate = 2 * plan.talking * plan.talking_rate
        what = f"{rate:g} a second, {plan.talking} organizations"
        seconds = plan.talking_seconds
        take = partial(forwarding.steadily, seconds=seconds, rate=plan.talking_rate)
        add_times(report, "many", what, turns(talking, plan.rounds, take))


def add_times(report: Report, key: str, how: str, times: Mapping[str, Sequence[Times]]) -> None:
    """Add the medians, and the 95th percentiles of each round."""
    for name, what in WAYS.items():
        rounds = {
            service: [getattr(one, name) for one in found] for service, found in times.items()
        }
        report.add(f"{key}_{name}", f"{what}, {how}", "ms", joined(rounds))
        late = {service: [percentile(runs) for runs in found] for service, found in rounds.items()}
        report.add(f"{key}_{name}_p95", f"{what}, {how}: 95th percentile", "ms", late)


def percentile(runs: Sequence[float], percent: int = 95) -> float:
    """Return the time within which so many of a hundred runs were done."""
    return sorted(runs)[-(-percent * len(runs) // 100) - 1]


def codes(services: Sequence[Service], plan: Plan, report: Report) -> None:
    """Measure codes and scans."""
    for service in services:
        # Warm up.
        reconnect.one_at_a_time(service, 1)
        reconnect.scanned(service, 1)
    each = turns(services, plan.rounds, lambda one: reconnect.one_at_a_time(one, plan.each))
    what = "POST reconnect → answer with a QR code, one at a time"
    report.add("reconnect", what, "ms", joined(each), UP_TO_20_PERCENT_MORE)

    crowds = turns(services, plan.rounds, lambda one: reconnect.at_once(one, plan.crowd))
    what = f"{plan.crowd} POST reconnect at once → all answered with a QR code"
    report.add("crowd", what, "s", part(crowds, 0), TWENTY_PERCENT_LESS)

    scans = turns(services, plan.rounds, lambda one: reconnect.scanned(one, plan.each))
    what = "scan → the status says connected"
    report.add("scan", what, "ms", joined(part(scans, 0)), TWENTY_PERCENT_LESS)

    shown = turns(services, plan.rounds, lambda one: reconnect.code_again(one, plan.each))
    what = "disconnect → reconnect → QR code, from a shown code"
    report.add("again_code", what, "ms", joined(shown), UP_TO_20_PERCENT_MORE)
    what = "disconnect → reconnect → QR code, from connected"
    report.add("again_connected", what, "ms", joined(part(scans, 1)), UP_TO_20_PERCENT_MORE)


def costs(fleets: Sequence[Linked], plan: Plan, report: Report) -> None:
    """Measure memory, CPU and status requests with linked organizations."""
    for size in plan.sizes:
        fresh = size - fleets[0].size
        link = turns(fleets, 1, lambda one, size=size: fleet.link(one, size))  # type: ignore[misc]
        report.add(f"link_{size}", f"linking {fresh}, four at a time", "s", link)
        what = f"memory of the whole tree (PSS), {size} just paired"
        report.add(
            f"memory_{size}", what, "MiB", turns(fleets, 1, fleet.memory), TWENTY_PERCENT_LESS
        )
    size = plan.sizes[-1]
    # After linking, so that the service is warm.
    rates = turns(fleets, plan.rounds, lambda one: fleet.statuses(one, plan.status_seconds))
    what = f"GET status, {fleet.STATUS_CLIENTS} clients, each another organization"
    report.add("status", what, "answers/s", rates, STATUS_RATE)
    report.add("stop", "stop in order", "s", turns(fleets, 1, fleet.restart))
    what = f"memory of the whole tree (PSS), {size} after a restart"
    report.add("memory_restarted", what, "MiB", turns(fleets, 1, fleet.memory), TWENTY_PERCENT_LESS)
    what = f"idle CPU with {size}"
    idle = fleet.idle(fleets, plan.rounds, plan.idle_seconds)
    report.add("idle", what, "% of core", idle, NOT_MORE)


def recoveries(fleets: Sequence[Linked], plan: Plan, report: Report) -> None:
    """Measure recoveries."""
    size = fleets[0].size
    kills = turns(fleets, plan.rounds, fleet.kill)
    report.add("kill", f"kill -9 → all {size} online", "s", part(kills, 0), TWENTY_PERCENT_LESS)
    report.add("kill_status", "kill -9 → the status says so for all", "s", part(kills, 1))
    drops = turns(fleets, plan.rounds, fleet.drop)
    what = f"all {size} dropped at once → all online"
    report.add("drop", what, "s", part(drops, 0), TWENTY_PERCENT_LESS)
    what = f"all {size} dropped at once → the status says so for all"
    report.add("drop_status", what, "s", part(drops, 1), TWENTY_PERCENT_LESS)
    if plan.outage:
        outages = turns(fleets, 1, lambda one: fleet.outage(one, OUTAGE_SECONDS))
        what = f"end of an outage of {OUTAGE_SECONDS:.0f} s → all online"
        report.add("outage", what, "s", part(outages, 0))
        what = "most dials within a second after that outage"
        report.add("outage_peak", what, "", part(outages, 1))


def joined(results: dict[str, list[list[float]]]) -> dict[str, list[float]]:
    """Return the runs of all rounds in one list."""
    return {name: [run for runs in rounds for run in runs] for name, rounds in results.items()}


def part(
    results: Mapping[str, Sequence[tuple[Result, ...]]], index: int
) -> dict[str, list[Result]]:
    """Return one of two figures that were measured together."""
    return {name: [pair[index] for pair in pairs] for name, pairs in results.items()}
