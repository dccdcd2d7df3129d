"""`python -m bench.messages`: a burst after an outage, and a load of messages both ways.

First, people write to one organization while the service is down. Then organizations get and send
messages at a steady rate. Prints rates, latencies, memory, CPU and lost links; all messages are
compared with the simulator at the end.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.linked import Linked
from bench.measure import (
    cpu_seconds,
    load_average,
    machine,
    memory_gib,
    pss_mib,
    stop_on_sigterm,
)
from bench.product import Product
from bench.waiting import until
from tests.chaos.message_assertions import Result, Seen, percentiles
from tests.chaos.message_check import SETTINGS, look, settle
from tests.chaos.messages import MessageTraffic
from tests.support import host_processes
from tests.support.application import Answer, ask

BURST_SECONDS, SETTLE_SECONDS, TABLES_SECONDS = 600.0, 300.0, 600.0
WARM_SECONDS, SAMPLE_SECONDS = 60.0, 10.0
SENDERS = 24


class MessagingProduct(Product):
    """This product without pacing, and with all that the traffic of `tests.chaos` needs."""

    manage_seconds = TABLES_SECONDS

    def settings(self) -> dict[str, str]:
        return {**super().settings(), **SETTINGS, "SEND_TIMEOUT_SECONDS": "30"}

    def call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> Answer:
        return ask(self.port, method, path, self.token, 60, body, headers=headers)

    def groups(self) -> dict[str, set[int]]:
        """Return the processes: web server, worker with its fork server, and host processes."""
        assert self.process is not None
        web, hosts = {self.process.pid}, host_processes.host_processes(self)
        worker = {host_processes.worker(self), host_processes.fork_server(self)}
        return {"web": web, "worker": worker, "hosts": hosts}


@dataclass(frozen=True)
class Sample:
    """The memory (MiB) and the CPU time (seconds) of each group at a time, and the logins."""

    at: float
    memory: dict[str, float]
    cpu: dict[str, float]
    logins: int


def sample(product: MessagingProduct) -> Sample:
    groups = product.groups()
    memory = {name: pss_mib(processes) for name, processes in groups.items()}
    cpu = {name: sum(map(cpu_seconds, processes)) for name, processes in groups.items()}
    cpu["simulator"] = cpu_seconds(product.simulator.health()["pid"])
    return Sample(time.monotonic(), memory, cpu, product.simulator.stats()["logins"])


def burst(fleet: Linked, product: MessagingProduct, count: int) -> str:
    """Let people write while the service is down. Return a line about the time until all is in."""
    organization = fleet.organizations[0]
    number = product.simulator.devices()[0]["number"]
    people = [str(product.simulator.save_person()["number"]) for _ in range(5)]
    before = product.simulator.stats()["logins"]
    product.stop()
    for index in range(count):
        product.simulator.say(people[index % len(people)], number, f"burst {index}")
    started = time.monotonic()
    product.start()
    fleet.wait_online(before)
    online = time.monotonic()
    path = f"/api/v1/organizations/{organization}/feed?types=message.received&limit=500"
    found: set[str] = set()
    last = 0

    def all_in() -> bool:
        nonlocal last
        answer = product.request("GET", f"{path}&after={last}")
        assert answer.status == 200, answer
        last = answer.body["next"]
        ids = [event["data"]["whatsappId"] for event in answer.body["events"]]
        assert not found.intersection(ids), "a message is in the log twice"
        found.update(ids)
        return len(found) == count

    until(all_in, BURST_SECONDS, f"{count} messages of a burst")
    taken = time.monotonic() - online
    assert {row["id"] for row in product.simulator.sent(number)} == found
    return (
        f"burst: {count} messages that waited at WhatsApp are in the log {taken:.1f} s after the "
        f"login ({count / taken:.0f} a second), {time.monotonic() - started:.1f} s after the start"
    )


def load(
    fleet: Linked, product: MessagingProduct, seconds: float, rate: float
) -> tuple[list[Sample], Result, float]:
    """Let each organization get and send `rate` messages a second. Return what was measured."""
    by_organization = {
        organization: str(product.api("GET", organization, "status").body["number"])
        for organization in fleet.organizations[1:]  # The first one had the burst.
    }
    total = int(2 * rate * seconds * len(by_organization))
    traffic = MessageTraffic(
        product,
        list(by_organization),
        by_organization.__getitem__,
        total,
        2 * rate * len(by_organization),
        random.Random(1),
        senders=SENDERS,
    )
    samples = [sample(product)]
    started = time.monotonic()
    traffic.start()
    while traffic.running and time.monotonic() - started < 3 * seconds:
        time.sleep(SAMPLE_SECONDS)
        samples.append(sample(product))
    traffic.join(1)
    written = time.monotonic() - started
    owners = {number: organization for organization, number in by_organization.items()}

    def seen() -> Seen:
        return look(product.simulator, list(by_organization), owners)

    result = settle(product, traffic, seen, SETTLE_SECONDS)
    return samples, result, written


def report(samples: Sequence[Sample], result: Result, written: float) -> list[str]:
    """Return the lines of the load's report."""
    first, last = samples[0], samples[-1]
    warm = next((one for one in samples if one.at - first.at >= WARM_SECONDS), first)
    lines = [f"load: all was written within {written:.0f} s"]
    for name, mib in last.memory.items():
        lines.append(
            f"  {name}: {warm.memory[name]:.0f} MiB after {warm.at - first.at:.0f} s, "
            f"{mib:.0f} MiB at the end"
        )
    for name, spent in last.cpu.items():
        share = (spent - first.cpu[name]) / (last.at - first.at)
        lines.append(f"  {name}: {100 * share:.0f} % of a core")
    handled = len(result.to_sent) + len(result.to_log)
    lines += [
        f"  messages a second: {handled / written:.1f}",
        f"  from accepted to sent: {percentiles(result.to_sent)}",
        f"  from written to in the log: {percentiles(result.to_log)}",
        f"  links lost: {last.logins - first.logins}",
        *(f"  {name}: {count}" for name, count in sorted(result.counts.items())),
        *(f"  WRONG: {problem}" for problem in result.problems[:20]),
    ]
    return lines


def main() -> int:
    stop_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m bench.messages", description=__doc__)
    parser.add_argument("--organizations", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=float, default=1, help="each way, of each, in a second")
    parser.add_argument("--burst", type=int, default=1000)
    options = parser.parse_args()
    print(f"{machine()}, {memory_gib():.0f} GiB; load {load_average()}", flush=True)
    with MessagingProduct(Path(tempfile.mkdtemp(prefix="messages-"))) as product:
        fleet = Linked(product)
        fleet.link(1)
        fleet.settle()
        print(burst(fleet, product, options.burst), flush=True)
        fleet.link(options.organizations)
        fleet.settle()
        samples, result, written = load(fleet, product, options.seconds, options.rate)
        print("\n".join(report(samples, result, written)), flush=True)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
