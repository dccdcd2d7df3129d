"""`python -m bench.growth`: measure 10, 100 and 1,000 linked organizations on a cluster.

One web process and two workers on PostgreSQL and Redis, all on this machine. For each size: what
they use at rest and with traffic, and the recovery after both workers were killed and started
again. `--idle` leaves out the traffic, `--idle-from 5000` that of the sizes from 5,000 on. All
messages are compared with the simulator.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bench import cluster_sample
from bench.cluster_sample import Window, between, take
from bench.measure import load_average, machine, memory_gib, stop_on_sigterm
from bench.steady_traffic import SteadyTraffic
from bench.waiting import until
from tests.chaos.message_check import SETTINGS, settle
from tests.chaos.message_tables import read_tables
from tests.support.cluster import PARALLEL_LINKS, Cluster
from tests.support.cluster_messenger import ClusterMessenger

SIZES = (10, 100, 1000)
TIMEOUT_SECONDS = 600.0
# Of traffic before it is measured. An organization's messages are due once in an interval, so the
# first ones, which cost more, are written within one; the rest is for them to arrive.
WARM_INTERVALS = 1.25
QUIET_SECONDS = 20.0
GROUPS = ("web", "workers", "hosts", "postgres", "redis", "simulator")
_BACKLOG = (
    "SELECT count(*) FROM messaging_message WHERE direction = 'out'"
    " AND state IN ('queued', 'held', 'sending')"
)


class LargeCluster(Cluster):
    """A cluster for 1,000 organizations: docs/postgresql.md."""

    postgres_settings: ClassVar[Mapping[str, str]] = {"max_connections": "400"}


Figures = dict[str, float | str]
"""The figures of a size by the heading of their row."""


def measure(cluster: Cluster, traffic: SteadyTraffic, size: int, options: Options) -> Figures:
    """Link up to `size` organizations, and measure."""
    fresh, started = size - len(cluster.organizations), time.monotonic()
    cluster.link(fresh, options.parallel)
    figures: Figures = {"organizations": size}
    figures["linking the new ones, s"] = time.monotonic() - started
    figures |= resume(cluster)
    time.sleep(QUIET_SECONDS)
    first = take(cluster)
    time.sleep(options.idle_seconds)
    rest = between(first, take(cluster))
    figures |= at_rest(cluster, rest, size)
    if size < options.idle_from:
        figures |= with_traffic(cluster, traffic, rest, options)
    return figures


def at_rest(cluster: Cluster, rest: Window, size: int) -> Figures:
    """Return what a cluster uses that does nothing."""
    count = cluster.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL")
    figures: Figures = {
        "host processes": len(cluster_sample.groups(cluster)["hosts"]),
        "connections to PostgreSQL, at rest": int(str(count[0][0])),
        "PostgreSQL on disk, MB": _database_bytes(cluster) / 1e6,
    }
    for name, mib in cluster_sample.memory(cluster).items():
        figures[f"{name} at rest, PSS MiB"] = mib
    for name in GROUPS:
        figures[f"{name} at rest, % of a core"] = rest.percent(name)
    figures["transactions a second, at rest"] = rest.rate("transactions")
    figures["Redis commands a second, at rest"] = rest.rate("redis_commands")
    if "whatsapp_bytes" in rest.counters:
        in_a_minute = 60 * rest.rate("whatsapp_bytes") / size
        figures["bytes to and from WhatsApp a minute, a link at rest"] = in_a_minute
    return figures


def with_traffic(
    cluster: Cluster, traffic: SteadyTraffic, rest: Window, options: Options
) -> Figures:
    """Let all organizations get and send messages, and return what that costs."""
    numbers = {
        one: str(cluster.webs[0].whatsapp("GET", one, "status").body["number"])
        for one in cluster.organizations
    }
    traffic.start(numbers, options.rate, options.warm_seconds + options.seconds)
    time.sleep(options.warm_seconds)
    first, start = take(cluster), time.time()
    time.sleep(options.seconds)
    busy, end = between(first, take(cluster)), time.time()
    memory = cluster_sample.memory(cluster)
    left, left_at = backlog(cluster, traffic), time.monotonic()
    traffic.join()
    until(lambda: sum(backlog(cluster, traffic)) == 0, TIMEOUT_SECONDS, "no backlog")
    emptied = time.monotonic() - left_at
    messenger = ClusterMessenger(cluster)
    result = settle(messenger, traffic, lambda: traffic.seen(numbers))
    for problem in result.problems[:20]:
        print(f"WRONG: {problem}", file=sys.stderr, flush=True)
    found = traffic.latencies(read_tables(messenger.manage), traffic.seen(numbers), start, end)
    messages = traffic.count(start, end)
    return {
        "messages a second": messages / busy.seconds,
        **costs(busy, rest, messages),
        "API request → accepted, ms": milliseconds(found.to_accepted),
        "accepted → at the person, ms": milliseconds(found.to_person),
        "written by a person → in the log, ms": milliseconds(found.to_log),
        "backlog at the end: requests, outbox, at WhatsApp": " · ".join(map(str, left)),
        "until the backlog is gone, s": emptied,
        **{f"{name} with traffic, PSS MiB": mib for name, mib in memory.items()},
        "wrong": len(result.problems),
    }


def costs(busy: Window, rest: Window, messages: int) -> Figures:
    """Return the CPU, and what each message costs beyond what the cluster uses at rest."""
    figures: Figures = {}
    for name in GROUPS:
        figures[f"{name} with traffic, % of a core"] = busy.percent(name)
    for name in GROUPS:
        extra = busy.cpu[name] - rest.cpu[name] * busy.seconds / rest.seconds
        figures[f"{name}: CPU of a message, ms"] = 1000 * extra / messages
    for counter, heading in (
        ("transactions", "transactions"),
        ("inserted", "rows inserted"),
        ("updated", "rows updated"),
        ("deleted", "rows deleted"),
        ("wal_bytes", "bytes of WAL"),
        ("database_bytes", "bytes on PostgreSQL's disk"),
        ("redis_commands", "Redis commands"),
        ("redis_bytes", "bytes to and from Redis"),
        ("whatsapp_bytes", "bytes to and from WhatsApp"),
    ):
        if counter in busy.counters and counter in rest.counters:
            extra = busy.counters[counter] - rest.rate(counter) * busy.seconds
            figures[f"{heading}, a message"] = extra / messages
    return figures


def backlog(cluster: Cluster, traffic: SteadyTraffic) -> tuple[int, int, int]:
    """Return the requests without an answer, the rows to send, and what waits at WhatsApp."""
    rows = int(str(cluster.postgres.sql(_BACKLOG)[0][0]))
    waiting = sum(int(device["waiting"]) for device in cluster.simulator.devices())
    return traffic.unanswered, rows, waiting


def resume(cluster: Cluster) -> Figures:
    """Kill both workers and start them. Returns the seconds until all are online, and the peak."""
    for worker in cluster.workers:
        worker.kill()
    until(lambda: cluster.online() == 0, 30, "all offline")
    started = time.monotonic()
    for worker in cluster.workers:
        worker.start()
    wanted = len(cluster.organizations)
    seen = [(started, cluster.simulator.stats()["logins"])]

    def all_online() -> bool:
        stats = cluster.simulator.stats()
        seen.append((time.monotonic(), stats["logins"]))
        return bool(stats["online"] == wanted)

    until(all_online, TIMEOUT_SECONDS, "all online again")
    duration = time.monotonic() - started
    until(cluster.settled, TIMEOUT_SECONDS, "all connected")
    peak = max(n - min(m for at, m in seen if at > now - 1.0) for now, n in seen)
    return {
        "`kill -9` of both workers and a start, until all are online, s": duration,
        "most logins in a second meanwhile": peak,
    }


def milliseconds(seconds: Sequence[float]) -> str:
    """Return the median, the 95th and the 99th percentile and the longest."""
    if len(seconds) < 2:
        return "too few"
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    parts = (cuts[49], cuts[94], cuts[98], max(seconds))
    return " · ".join(f"{1000 * part:,.0f}" for part in parts)


def table(sizes: Sequence[Figures]) -> str:
    """Return a Markdown table: a row for each figure, a column for each size."""
    lines = []
    for heading in dict.fromkeys(name for size in sizes for name in size):
        cells = [_cell(size.get(heading, "–")) for size in sizes]
        lines.append(f"| {heading} | " + " | ".join(cells) + " |")
        if heading == "organizations":
            lines.append("|---|" + "--:|" * len(sizes))
    return "\n".join(lines)


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _database_bytes(cluster: Cluster) -> int:
    return int(
        str(cluster.postgres.sql("SELECT sum(pg_database_size(oid)) FROM pg_database")[0][0])
    )


class Options(argparse.Namespace):
    """The command line."""

    sizes: list[int]
    idle_from: float
    idle_seconds: float
    rate: float
    seconds: float
    warm_seconds: float
    parallel: int


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options. Exits when only first messages would be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=SIZES)
    add("--idle-from", type=int, default=math.inf, metavar="N", help="no traffic from N on")
    add("--idle", dest="idle_from", action="store_const", const=0, help="no traffic at all")
    add("--idle-seconds", type=float, default=60.0)
    add("--rate", type=float, default=1.0, help="each way, of each, in a minute")
    add("--seconds", type=float, default=180.0, help="of traffic that is measured")
    add("--warm-seconds", type=float, help="of traffic before that (1.25 intervals of the rate)")
    add("--parallel", type=int, default=PARALLEL_LINKS, help="links at a time")
    options = parser.parse_args(arguments, namespace=Options())
    if options.rate <= 0:
        parser.error("--rate must be above 0; --idle leaves out the traffic")
    interval = 60 / options.rate
    if options.warm_seconds is None:
        options.warm_seconds = WARM_INTERVALS * interval
    if options.warm_seconds < interval:
        parser.error(
            f"with --rate {options.rate:g} each organization writes every {interval:g} s, so "
            f"--warm-seconds must be {interval:g} at least: after {options.warm_seconds:g} s, "
            "first messages would be measured, which cost more than those that follow"
        )
    return options


def main() -> int:
    stop_on_sigterm()
    options = parse()
    print(f"{machine()}, {memory_gib():.0f} GiB; load {load_average()}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="growth-"))
    settings = {
        **SETTINGS,
        "SEND_TIMEOUT_SECONDS": "30",
        "WORKER_CAPACITY": str(max(1000, *options.sizes)),
    }
    sizes: list[Figures] = []
    with LargeCluster(folder, webs=1, workers=2, **settings) as cluster:
        traffic = SteadyTraffic(ClusterMessenger(cluster))
        for size in sorted(options.sizes):
            sizes.append(measure(cluster, traffic, size, options))
            print(f"\n{table(sizes)}\n\nload {load_average()}", flush=True)
    return 1 if any(size.get("wrong") for size in sizes) else 0


if __name__ == "__main__":
    sys.exit(main())
