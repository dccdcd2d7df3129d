"""What it costs to hold many links, and how fast they all come back: one function per figure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench import load, measure
from bench.linked import PATIENCE_SECONDS, SAMPLE_SECONDS, Linked
from tests.support.application import until

STATUS_CLIENTS = 8


def link(fleet: Linked, count: int) -> float:
    """Seconds to link as many as are still missing of `count`."""
    begun = time.time()
    fleet.link(count - fleet.size)
    taken = time.time() - begun
    fleet.settle()
    return taken


def memory(fleet: Linked) -> float:
    """The PSS of the whole tree in MiB."""
    return measure.pss_mib(fleet.service.processes())


def restart(fleet: Linked) -> float:
    """Stop in order and start again. Returns the seconds that the stop took."""
    logins = fleet.service.simulator.stats()["logins"]
    begun = time.time()
    fleet.service.stop()
    taken = time.time() - begun
    fleet.service.start()
    fleet.wait_online(logins)
    fleet.wait_status(begun)
    fleet.settle()
    return taken


def idle(fleets: Sequence[Linked], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Per cent of one core while no one asks for anything, of all services at the same time."""
    looks = {one.service.name: one.service.processes for one in fleets}
    found = [measure.idle_percents(looks, seconds) for _ in range(rounds)]
    return {name: [percents[name] for percents in found] for name in looks}


def statuses(fleet: Linked, seconds: float) -> float:
    """Answers to `GET status` per second, of several clients that ask without a pause."""
    service, numbers = fleet.service, fleet.organizations
    return load.statuses(service.port, service.token, numbers, STATUS_CLIENTS, seconds)


def kill(fleet: Linked) -> tuple[float, float]:
    """Seconds from kill -9 until all are online, and until every status says so; no scan."""
    logins = fleet.service.simulator.stats()["logins"]
    killed = time.time()
    fleet.service.kill()
    fleet.service.start()
    online = fleet.wait_online(logins)
    _, told = fleet.wait_status(killed)
    fleet.settle()
    return online - killed, told - killed


def drop(fleet: Linked) -> tuple[float, float]:
    """Seconds from the cut of all connections until all are online, and every status says so."""
    simulator = fleet.service.simulator
    logins = simulator.stats()["logins"]
    dropped = time.time()
    assert simulator.drop() == fleet.size
    online = fleet.wait_online(logins)
    _, told = fleet.wait_status(dropped)
    fleet.settle()
    return online - dropped, told - dropped


def outage(fleet: Linked, seconds: float) -> tuple[float, float]:
    """WhatsApp away for a while: everyone dropped, and every dial refused.

    Returns the seconds from its end until all are online, and the most dials within one second
    from then on.
    """
    simulator = fleet.service.simulator
    before, begun = simulator.stats(), time.time()
    simulator.arm("refuse", seconds=seconds)
    end = time.time() + seconds
    simulator.drop()
    samples = [(begun, before["dials"])]

    def all_online() -> bool:
        time.sleep(SAMPLE_SECONDS)
        stats = simulator.stats()
        samples.append((time.time(), stats["dials"]))
        again = stats["logins"] - before["logins"] >= fleet.size
        return again and stats["online"] == fleet.size

    until(all_online, seconds + PATIENCE_SECONDS, "all online after an outage")
    during = [sample for sample in samples if sample[0] <= end]
    after = [during[-1], *(sample for sample in samples if sample[0] > end)]
    fleet.settle()
    return samples[-1][0] - end, peak(after)


def peak(samples: list[tuple[float, int]]) -> float:
    """The most that a counter grew within one second."""
    return float(
        max(
            later - sooner
            for begun, sooner in samples
            for ended, later in samples
            if 0 <= ended - begun <= 1 + SAMPLE_SECONDS
        )
    )
