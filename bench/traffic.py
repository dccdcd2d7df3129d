"""What messages in many organizations at once cost a service, counted until all have arrived.

A service that falls behind is not cheaper: its CPU counts until the last message is there.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from bench import forwarding, measure
from bench.forwarding import Talking


class Traffic(NamedTuple):
    """What messages in many organizations cost: of the service, but for the last two.

    CPU of a message (ms) · memory (MiB) · messages that were written and accepted in a second ·
    seconds from the end of the time to write until the last one had arrived · the simulator's and
    the bench's CPU of a message (ms).
    """

    cpu: float
    memory: float
    written: float
    late: float
    simulator: float
    bench: float


def measure_traffic(talking: Talking, seconds: float, rate: float) -> Traffic:
    """Let all write and send, and wait until every message has arrived."""
    service = talking.service
    simulator = service.simulator_server.process.pid
    with (
        measure.cpu_of(service.all_processes) as spent,
        measure.cpu_of(lambda: {simulator}) as beside,
    ):
        own, started = time.process_time(), time.monotonic()
        written, sent = forwarding.write_and_send(talking, seconds, rate)
        taken = max(seconds, time.monotonic() - started)
        talking.wait_until_all_arrived(written, sent)
        # From when the last one was due: a service that accepts slowly is late, too.
        late = max(0.0, time.monotonic() - started - seconds)
        own = time.process_time() - own
    memory = measure.pss_mib(service.all_processes())
    talking.settle()
    count = len(written) + len(sent)
    cpu, simulator_cpu, bench_cpu = (1000 * one / count for one in (spent[0], beside[0], own))
    return Traffic(cpu, memory, count / taken, late, simulator_cpu, bench_cpu)
