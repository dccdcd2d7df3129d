"""All figures of some services, taken in turns, and what each of them should be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench import fleet, reconnect
from bench.linked import Linked
from bench.report import Report, Target
from bench.service import Service

Result = TypeVar("Result")
Subject = TypeVar("Subject", Service, Linked)

LITTLE_MORE, A_FIFTH_LESS, NO_MORE = Target(ratio=1.2), Target(ratio=0.8), Target(ratio=1.0)
ANSWERS = Target(at_least=450)
OUTAGE_SECONDS = 22.0
"""whatsmeow tries again 0, 2, 6, 12, 20 and 30 s after a drop: this ends just after a try."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    sizes: tuple[int, ...] = (50, 200)
    rounds: int = 3
    each: int = 7
    crowd: int = 50
    outage: bool = False
    quiet_seconds: float = 5.0
    status_seconds: float = 5.0
    # As long as it takes until each socket, of either library, has sent its keep-alive.
    idle_seconds: float = 30.0


def turns(
    subjects: Sequence[Subject], rounds: int, take: Callable[[Subject], Result]
) -> dict[str, list[Result]]:
    """One result of each for each round. They take turns, so that a noisy minute hits them all."""
    results: dict[str, list[Result]] = {name_of(subject): [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects if number % 2 == 0 else list(reversed(subjects)):
            results[name_of(subject)].append(take(subject))
    return results


def name_of(subject: Service | Linked) -> str:
    return subject.service.name if isinstance(subject, Linked) else subject.name


@contextmanager
def running(kinds: Sequence[type[Service]]) -> Iterator[list[Service]]:
    """One of each kind, on a data folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        places = [Path(folder) / kind.__name__.lower() for kind in kinds]
        pairs = zip(kinds, places, strict=True)
        yield [stack.enter_context(kind(place)) for kind, place in pairs]


def compare(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure everything, on services that have just been started for each half."""
    with running(kinds) as services:
        codes(services, plan, report)
    with running(kinds) as services:
        fleets = [Linked(service, plan.quiet_seconds) for service in services]
        costs(fleets, plan, report)
        recoveries(fleets, plan, report)


def codes(services: Sequence[Service], plan: Plan, report: Report) -> None:
    """How fast codes come and phones are linked."""
    for service in services:
        # The first ones pay for what a running service has paid long ago.
        reconnect.one_at_a_time(service, 1)
        reconnect.scanned(service, 1)
    each = turns(services, plan.rounds, lambda one: reconnect.one_at_a_time(one, plan.each))
    what = "POST reconnect → answer with a QR code, one at a time"
    report.add("reconnect", what, "ms", joined(each), LITTLE_MORE)

    crowds = turns(services, plan.rounds, lambda one: reconnect.at_once(one, plan.crowd))
    what = f"{plan.crowd} POST reconnect at once → all answered with a QR code"
    report.add("crowd", what, "s", part(crowds, 0), A_FIFTH_LESS)

    scans = turns(services, plan.rounds, lambda one: reconnect.scanned(one, plan.each))
    what = "scan → the status says connected"
    report.add("scan", what, "ms", joined(part(scans, 0)), A_FIFTH_LESS)

    shown = turns(services, plan.rounds, lambda one: reconnect.code_again(one, plan.each))
    what = "disconnect → reconnect → QR code, from a shown code"
    report.add("again_code", what, "ms", joined(shown), LITTLE_MORE)
    what = "disconnect → reconnect → QR code, from connected"
    report.add("again_connected", what, "ms", joined(part(scans, 1)), LITTLE_MORE)


def costs(fleets: Sequence[Linked], plan: Plan, report: Report) -> None:
    """What linked organizations cost, and what reading costs with them."""
    for size in plan.sizes:
        fresh = size - fleets[0].size
        link = turns(fleets, 1, lambda one, size=size: fleet.link(one, size))  # type: ignore[misc]
        report.add(f"link_{size}", f"linking {fresh}, four at a time", "s", link)
        what = f"memory of the whole tree (PSS), {size} just paired"
        report.add(f"memory_{size}", what, "MiB", turns(fleets, 1, fleet.memory), A_FIFTH_LESS)
    size = plan.sizes[-1]
    # Behind each linking, so that it counts neither as new nor as cold.
    rates = turns(fleets, plan.rounds, lambda one: fleet.statuses(one, plan.status_seconds))
    what = f"GET status, {fleet.STATUS_CLIENTS} clients, each another organization"
    report.add("status", what, "answers/s", rates, ANSWERS)
    report.add("stop", "stop in order", "s", turns(fleets, 1, fleet.restart))
    what = f"memory of the whole tree (PSS), {size} after a restart"
    report.add("memory_restarted", what, "MiB", turns(fleets, 1, fleet.memory), A_FIFTH_LESS)
    what = f"idle CPU with {size}"
    idle = fleet.idle(fleets, plan.rounds, plan.idle_seconds)
    report.add("idle", what, "% of core", idle, NO_MORE)


def recoveries(fleets: Sequence[Linked], plan: Plan, report: Report) -> None:
    """How fast everyone is back."""
    size = fleets[0].size
    kills = turns(fleets, plan.rounds, fleet.kill)
    report.add("kill", f"kill -9 → all {size} online", "s", part(kills, 0), A_FIFTH_LESS)
    report.add("kill_status", "kill -9 → the status says so for all", "s", part(kills, 1))
    drops = turns(fleets, plan.rounds, fleet.drop)
    what = f"all {size} dropped at once → all online"
    report.add("drop", what, "s", part(drops, 0), A_FIFTH_LESS)
    what = f"all {size} dropped at once → the status says so for all"
    report.add("drop_status", what, "s", part(drops, 1), A_FIFTH_LESS)
    if plan.outage:
        outages = turns(fleets, 1, lambda one: fleet.outage(one, OUTAGE_SECONDS))
        what = f"end of an outage of {OUTAGE_SECONDS:.0f} s → all online"
        report.add("outage", what, "s", part(outages, 0))
        what = "most dials within a second after that outage"
        report.add("outage_peak", what, "", part(outages, 1))


def joined(results: dict[str, list[list[float]]]) -> dict[str, list[float]]:
    """The runs of all rounds in one list."""
    return {name: [run for runs in rounds for run in runs] for name, rounds in results.items()}


def part(
    results: Mapping[str, Sequence[tuple[Result, ...]]], index: int
) -> dict[str, list[Result]]:
    """One of the two figures that were taken together."""
    return {name: [pair[index] for pair in pairs] for name, pairs in results.items()}
