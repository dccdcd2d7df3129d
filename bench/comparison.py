"""Measure all figures of several services in turns, and set their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from bench import fleet, forwarding, polling, reconnect, traffic
from bench.forwarding import Talking, Times
from bench.linked import Linked
from bench.plan import Plan, joined, part, running, turns
from bench.receiver import Receiver
from bench.report import Report, Target
from bench.service import Service

KEPT = Target(ratio=0.7)
NOT_MORE = Target(ratio=1.0)
WAYS = {
    "received": "message in → at the webhook",
    "accepted": "API request → accepted",
    "arrived": "API request → at the person",
}
GOALS = {"one_received": Target(ratio=1.5), "one_arrived": Target(ratio=1.5)}
OUTAGE_SECONDS = 22.0
"""whatsmeow reconnects 0, 2, 6, 12, 20 and 30 s after a drop: this is just after an attempt."""


def pairing(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure codes and scans."""
    with running(kinds) as services:
        codes(services, plan, report)


def links(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure the cost of many links, and their recovery."""
    with running(kinds) as services:
        fleets = [Linked(service, plan.quiet_seconds) for service in services]
        costs(fleets, plan, report)
        recoveries(fleets, plan, report)


def messages(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure the times of messages both ways, of fresh services."""
    with Receiver() as receiver, running(kinds) as services:
        talking = [Talking(service, receiver, plan.quiet_seconds) for service in services]
        times_of_messages(talking, plan, report)


def times_of_messages(talking: Sequence[Talking], plan: Plan, report: Report) -> None:
    """Measure the times of messages one after the other, and of many organizations at once."""
    for one in talking:
        one.talk(1)
    times = turns(talking, plan.rounds, lambda one: forwarding.one_at_a_time(one, plan.messages))
    add_times(report, "one", "one at a time", times)
    for one in talking:
        one.talk(plan.talking)
    rate = 2 * plan.talking * plan.talking_rate
    what = f"{rate:g} a second, {plan.talking} organizations"
    take = partial(forwarding.steadily, seconds=plan.talking_seconds, rate=plan.talking_rate)
    add_times(report, "many", what, turns(talking, plan.rounds, take))


def add_times(report: Report, key: str, how: str, times: Mapping[str, Sequence[Times]]) -> None:
    """Add the medians, and of each round the 95th percentile, or the longest of a few."""
    for name, what in WAYS.items():
        rounds = {
            service: [getattr(one, name) for one in found] for service, found in times.items()
        }
        goal = GOALS.get(f"{key}_{name}")
        report.add(f"{key}_{name}", f"{what}, {how}", "ms", joined(rounds), goal)
        late = {service: [percentile(runs) for runs in found] for service, found in rounds.items()}
        count = min(len(runs) for found in rounds.values() for runs in found)
        report.add(f"{key}_{name}_p95", f"{what}, {how}: {late_name(count)}", "ms", late)


def late_name(count: int) -> str:
    """Return the name of the 95th percentile of so many runs."""
    return f"the longest of {count}" if count < 20 else "95th percentile"


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
    report.add("reconnect", what, "ms", joined(each), NOT_MORE)

    crowds = turns(services, plan.rounds, lambda one: reconnect.at_once(one, plan.crowd))
    what = f"{plan.crowd} POST reconnect at once → all answered with a QR code"
    report.add("crowd", what, "s", part(crowds, 0), Target(ratio=0.9))

    scans = turns(services, plan.rounds, lambda one: reconnect.scanned(one, plan.each))
    what = "scan → the status says connected"
    report.add("scan", what, "ms", joined(part(scans, 0)), KEPT)

    shown = turns(services, plan.rounds, lambda one: reconnect.code_again(one, plan.each))
    what = "disconnect → reconnect → QR code, from a shown code"
    report.add("again_code", what, "ms", joined(shown), NOT_MORE)
    what = "disconnect → reconnect → QR code, from connected"
    report.add("again_connected", what, "ms", joined(part(scans, 1)), NOT_MORE)


def costs(fleets: Sequence[Linked], plan: Plan, report: Report) -> None:
    """Measure memory, CPU and status requests with linked organizations."""
    for size in plan.sizes:
        fresh = size - fleets[0].size
        link = turns(fleets, 1, lambda one, size=size: fleet.link(one, size))  # type: ignore[misc]
        report.add(f"link_{size}", f"linking {fresh}, four at a time", "s", link)
        what = f"memory of the whole tree (PSS), {size} just paired"
        report.add(f"memory_{size}", what, "MiB", fleet.memory(fleets, plan.memory_pause), KEPT)
    size = plan.sizes[-1]
    # After linking, so that the service is warm.
    found = turns(fleets, plan.rounds, lambda one: fleet.statuses(one, plan.status_seconds))
    polling.add_statuses(report, "status", f"{size} linked, each once a second", found, size)
    report.add("stop", "stop in order", "s", turns(fleets, 1, fleet.restart))
    what = f"memory of the whole tree (PSS), {size} after a restart"
    memory = fleet.memory(fleets, plan.memory_pause)
    report.add("memory_restarted", what, "MiB", memory, KEPT)
    what = f"idle CPU with {size}"
    idle = fleet.idle(fleets, plan.rounds, plan.idle_seconds)
    report.add("idle", what, "% of core", idle, NOT_MORE)


def recoveries(fleets: Sequence[Linked], plan: Plan, report: Report) -> None:
    """Measure recoveries, while each organization's software asks for its status."""
    size, poll = fleets[0].size, plan.poll_seconds
    kills = turns(fleets, plan.rounds, lambda one: fleet.kill(one, poll))
    first = Target(ratio=3.0, at_most=2.0)
    report.add("kill_first", "kill -9 → the first one online", "s", part(kills, 0), first)
    what = f"kill -9 → all {size} online"
    report.add("kill", what, "s", part(kills, 1), Target(ratio=0.6))
    report.add("kill_status", "kill -9 → the status says so for all", "s", part(kills, 2))
    drops = turns(fleets, plan.rounds, lambda one: fleet.drop(one, poll))
    report.add("drop", f"all {size} dropped at once → all online", "s", drops, KEPT)
    seen = turns(fleets, plan.rounds, fleet.drop_seen)
    what = f"all {size} dropped at once → {fleet.STATUS_CLIENTS} clients that ask for all see it"
    report.add("drop_seen", what, "s", seen, Target(ratio=0.5))
    if plan.outage:
        outages = turns(fleets, 1, lambda one: fleet.outage(one, OUTAGE_SECONDS, poll))
        what = f"end of an outage of {OUTAGE_SECONDS:.0f} s → all online"
        report.add("outage", what, "s", part(outages, 0))
        what = "most dials within a second after that outage"
        report.add("outage_peak", what, "", part(outages, 1))


def busy(kinds: Sequence[type[Service]], plan: Plan, report: Report) -> None:
    """Measure the cost of messages in many organizations at once, of fresh services."""
    with Receiver() as receiver, running(kinds) as services:
        talking = [Talking(service, receiver, plan.quiet_seconds) for service in services]
        cost_of_messages(talking, plan, report)


def cost_of_messages(talking: Sequence[Talking], plan: Plan, report: Report) -> None:
    """Measure the cost of messages in many organizations at once, both ways."""
    for one in talking:
        one.talk(plan.busy)
    take = partial(traffic.measure_traffic, seconds=plan.busy_seconds, rate=plan.busy_rate)
    found = turns(talking, plan.busy_rounds, take)
    what = f"{plan.busy} organizations, {plan.busy_rate:g} a second each way"
    goal = Target(ratio=1.5)
    report.add("busy_cpu", f"CPU of a message, {what}", "ms", part(found, 0), goal)
    goal = Target(ratio=0.8)
    report.add("busy_memory", f"memory, {what}", "MiB", part(found, 1), goal)
    limit = 2 * plan.busy * plan.busy_rate
    report.add("busy_written", "… written and accepted", "messages/s", part(found, 2), limit=limit)
    what = "… the last one arrived after the last was due to be written"
    report.add("busy_late", what, "s", part(found, 3))
    what = "… CPU of the simulator, for each message"
    report.add("busy_simulator", what, "ms", part(found, 4))
    what = "… CPU of the bench, for each message"
    report.add("busy_bench", what, "ms", part(found, 5))
