"""Measure the cost of many links, and their recovery: one function for each figure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bench import load, measure
from bench.linked import SAMPLE_SECONDS, TIMEOUT_SECONDS, Linked
from bench.service import Service
from bench.waiting import until

STATUS_CLIENTS = 8
MEMORY_READINGS = 3


class Statuses(NamedTuple):
    """Answers a second, the median milliseconds of one, and its milliseconds of CPU."""

    rate: float
    latency: float
    cpu: float


def link(fleet: Linked, count: int) -> float:
    """Link up to `count` organizations. Returns the seconds."""
    started = time.time()
    fleet.link(count - fleet.size)
    taken = time.time() - started
    fleet.settle()
    return taken


def memory(fleets: Sequence[Linked], pause: float) -> dict[str, list[float]]:
    """Return three readings of the PSS of each process tree in MiB, so many seconds apart."""
    found: dict[str, list[float]] = {one.service.name: [] for one in fleets}
    for number in range(MEMORY_READINGS):
        time.sleep(pause if number else 0.0)
        for one in fleets:
            found[one.service.name].append(measure.pss_mib(one.service.all_processes()))
    return found


def restart(fleet: Linked) -> float:
    """Stop regularly and start again. Returns the seconds of the stop."""
    logins = fleet.service.simulator.stats()["logins"]
    started = time.time()
    fleet.service.stop()
    taken = time.time() - started
    fleet.service.start()
    fleet.wait_online(logins)
    fleet.wait_status(started)
    fleet.settle()
    return taken


def idle(fleets: Sequence[Linked], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the idle CPU of all services in the same period, in % of a core."""
    groups = {one.service.name: one.service.all_processes for one in fleets}
    found = [measure.idle_percents(groups, seconds) for _ in range(rounds)]
    return {name: [percents[name] for percents in found] for name in groups}


def statuses(fleet: Linked, seconds: float) -> Statuses:
    """Let eight clients ask for every organization, each once a second at most."""
    return ask_statuses(fleet.service, fleet.organizations, seconds)


def ask_statuses(service: Service, organizations: Sequence[int], seconds: float) -> Statuses:
    """Return what the answers to eight clients cost."""
    with measure.cpu_of(service.all_processes) as spent:
        answered = load.statuses(service, organizations, STATUS_CLIENTS, seconds)
    milliseconds = 1000 * spent[0] / answered.answers
    return Statuses(answered.rate, answered.median, milliseconds)


def kill(fleet: Linked, poll_seconds: float) -> tuple[float, float, float]:
    """Return the seconds from kill -9 until one is online, all are, and every status says so.

    Each organization's software goes on asking for its status.
    """
    service = fleet.service
    logins = service.simulator.stats()["logins"]
    with load.polling(service, fleet.organizations, poll_seconds):
        killed = time.time()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(fleet.wait_login, logins)
            service.kill()
            service.start()
            online = fleet.wait_online(logins)
            _, status_at = fleet.wait_status(killed)
    fleet.settle()
    # Both look now and then; one that looks later sees no later login.
    return min(first.result(), online) - killed, online - killed, status_at - killed


def drop(fleet: Linked, poll_seconds: float) -> float:
    """Return the seconds from a drop until all are online, while their software asks."""
    fleet.wait_stable()
    simulator = fleet.service.simulator
    logins = simulator.stats()["logins"]
    with load.polling(fleet.service, fleet.organizations, poll_seconds):
        dropped = time.time()
        assert simulator.drop() == fleet.size
        online = fleet.wait_online(logins)
        fleet.wait_status(dropped)
    fleet.settle()
    return online - dropped


def drop_seen(fleet: Linked) -> float:
    """Return the seconds from a drop until eight clients have seen every status connected again."""
    service = fleet.service
    fleet.wait_stable()
    if not fleet.monitors:
        fleet.monitors = service.new_tokens(STATUS_CLIENTS)
    dropped = 0.0

    def fault() -> float:
        nonlocal dropped
        dropped = time.time()
        assert service.simulator.drop() == fleet.size
        return dropped

    logins = service.simulator.stats()["logins"]
    seen = load.seen_by_all(service, fleet.organizations, fleet.monitors, fault)
    fleet.wait_online(logins)
    fleet.settle()
    return seen - dropped


def outage(fleet: Linked, seconds: float, poll_seconds: float) -> tuple[float, float]:
    """Drop all connections and refuse dials for `seconds`, while their software asks.

    Returns the seconds from the end until all are online, and the most dials within one second.
    """
    fleet.wait_stable()
    simulator = fleet.service.simulator
    before, started = simulator.stats(), time.time()
    simulator.arm("refuse", seconds=seconds)
    end = time.time() + seconds
    simulator.drop()
    samples = [(started, before["dials"])]

    def all_online() -> bool:
        time.sleep(SAMPLE_SECONDS)
        stats = simulator.stats()
        samples.append((time.time(), stats["dials"]))
        again = stats["logins"] - before["logins"] >= fleet.size
        return again and stats["online"] == fleet.size

    with load.polling(fleet.service, fleet.organizations, poll_seconds):
        until(all_online, seconds + TIMEOUT_SECONDS, "all online after an outage")
    during = [sample for sample in samples if sample[0] <= end]
    after = [during[-1], *(sample for sample in samples if sample[0] > end)]
    fleet.settle()
    return samples[-1][0] - end, peak(after)


def peak(samples: list[tuple[float, int]]) -> float:
    """Return the largest increase of a counter within one second."""
    return float(
        max(
            later - sooner
            for started, sooner in samples
            for ended, later in samples
            if 0 <= ended - started <= 1 + SAMPLE_SECONDS
        )
    )
