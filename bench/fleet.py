"""Measure the cost of many links, and their recovery: one function for each figure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench import load, measure
from bench.linked import SAMPLE_SECONDS, TIMEOUT_SECONDS, Linked
from bench.waiting import until

STATUS_CLIENTS = 8


def link(fleet: Linked, count: int) -> float:
    """Link up to `count` organizations. Returns the seconds."""
    started = time.time()
    fleet.link(count - fleet.size)
    taken = time.time() - started
    fleet.settle()
    return taken


def memory(fleet: Linked) -> float:
    """Return the PSS of the whole process tree in MiB."""
    return measure.pss_mib(fleet.service.processes())


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
    groups = {one.service.name: one.service.processes for one in fleets}
    found = [measure.idle_percents(groups, seconds) for _ in range(rounds)]
    return {name: [percents[name] for percents in found] for name in groups}


def statuses(fleet: Linked, seconds: float) -> float:
    """Return the responses to `GET status` per second, with several busy clients."""
    service, numbers = fleet.service, fleet.organizations
    return load.statuses(service.port, service.token, numbers, STATUS_CLIENTS, seconds)


def kill(fleet: Linked) -> tuple[float, float]:
    """Return the seconds from kill -9 until all are online, and until every status is."""
    logins = fleet.service.simulator.stats()["logins"]
    killed = time.time()
    fleet.service.kill()
    fleet.service.start()
    online = fleet.wait_online(logins)
    _, status_at = fleet.wait_status(killed)
    fleet.settle()
    return online - killed, status_at - killed


def drop(fleet: Linked) -> tuple[float, float]:
    """Return the seconds from a drop until all are online, and until every status is."""
    simulator = fleet.service.simulator
    logins = simulator.stats()["logins"]
    dropped = time.time()
    assert simulator.drop() == fleet.size
    online = fleet.wait_online(logins)
    _, status_at = fleet.wait_status(dropped)
    fleet.settle()
    return online - dropped, status_at - dropped


def outage(fleet: Linked, seconds: float) -> tuple[float, float]:
    """Drop all connections and refuse dials for `seconds`.

    Returns the seconds from the end until all are online, and the most dials within one second.
    """
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
