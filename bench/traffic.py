"""What messages in many organizations at once cost a service, counted until all have arrived.

A service that falls behind is not cheaper: its CPU counts until the last message is there.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from bench import forwarding, measure
from bench.forwarding import Talking


class Traffic(NamedTuple):
    """CPU of a message (ms), memory (MiB), seconds until the last one, the simulator's CPU (ms)."""

    cpu: float
    memory: float
    late: float
    simulator: float


def measure_traffic(talking: Talking, seconds: float, rate: float) -> Traffic:
    """Let all write and send, and wait until every message has arrived."""
    service = talking.service
    simulator = service.simulator_server.process.pid
    with (
        measure.cpu_of(service.all_processes) as spent,
        measure.cpu_of(lambda: {simulator}) as beside,
    ):
        written, sent = forwarding.write_and_send(talking, seconds, rate)
        ended = time.monotonic()
        talking.wait_until_all_arrived(written, sent)
        late = time.monotonic() - ended
    memory = measure.pss_mib(service.all_processes())
    talking.settle()
    count = len(written) + len(sent)
    return Traffic(1000 * spent[0] / count, memory, late, 1000 * beside[0] / count)
