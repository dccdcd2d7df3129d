"""`python -m bench.growth`: measure 10, 100 and 1,000 linked organizations on a cluster.

One web process and two workers on PostgreSQL and Redis, all on this machine. For each size: memory,
idle CPU, database load, and the recovery after both workers were killed and started again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.measure import (
    idle_percents,
    load_average,
    machine,
    memory_gib,
    pss_mib,
    with_children,
)
from bench.waiting import until
from tests.support.cluster import Cluster

SIZES = (10, 100, 1000)
TIMEOUT_SECONDS = 600.0
QUIET_SECONDS = 20.0


@dataclass(frozen=True)
class Size:
    """The figures for a number of organizations."""

    organizations: int
    link_seconds: float
    workers_mib: float
    web_mib: float
    postgres_mib: float
    hosts: int
    idle_workers: float
    idle_web: float
    idle_postgres: float
    transactions: float
    connections: int
    resume_seconds: float
    dials_peak: int


HEADINGS = {
    "organizations": "organizations",
    "link_seconds": "linking the new ones, s",
    "workers_mib": "two workers with their hosts, PSS MiB",
    "hosts": "host processes",
    "web_mib": "web process, PSS MiB",
    "postgres_mib": "PostgreSQL, PSS MiB",
    "connections": "connections to PostgreSQL, at rest",
    "idle_workers": "workers at rest, % of a core",
    "idle_web": "web process at rest, % of a core",
    "idle_postgres": "PostgreSQL at rest, % of a core",
    "transactions": "transactions a second, at rest",
    "resume_seconds": "kill -9 of both workers and a start, until all are online, s",
    "dials_peak": "most logins in a second meanwhile",
}


def measure(cluster: Cluster, organizations: int, idle_seconds: float) -> Size:
    """Link up to `organizations`, and measure."""
    started = time.monotonic()
    cluster.link(organizations - len(cluster.organizations))
    linked = time.monotonic() - started
    resumed, peak = resume(cluster)
    time.sleep(QUIET_SECONDS)
    before, at = transactions(cluster), time.monotonic()
    idle = idle_percents(
        {
            "workers": lambda: set().union(*(one.processes() for one in cluster.workers)),
            "web": cluster.webs[0].processes,
            "postgres": lambda: postgres(cluster),
        },
        idle_seconds,
    )
    rate = (transactions(cluster) - before) / (time.monotonic() - at)
    workers = set().union(*(one.processes() for one in cluster.workers))
    count = cluster.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL")
    hosts = cluster.postgres.sql(
        "SELECT coalesce(sum(hosts), 0) FROM connections_worker WHERE stopped_at IS NULL"
        " AND heartbeat_at > now() - interval '10 seconds'"
    )
    return Size(
        organizations=organizations,
        link_seconds=linked,
        workers_mib=pss_mib(workers),
        web_mib=pss_mib(cluster.webs[0].processes()),
        postgres_mib=pss_mib(postgres(cluster)),
        hosts=int(str(hosts[0][0])),
        idle_workers=idle["workers"],
        idle_web=idle["web"],
        idle_postgres=idle["postgres"],
        transactions=rate,
        connections=int(str(count[0][0])),
        resume_seconds=resumed,
        dials_peak=peak,
    )


def resume(cluster: Cluster) -> tuple[float, int]:
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
    return duration, peak


def transactions(cluster: Cluster) -> int:
    """Return the number of transactions that PostgreSQL has committed."""
    rows = cluster.postgres.sql("SELECT sum(xact_commit) FROM pg_stat_database")
    return int(str(rows[0][0]))


def postgres(cluster: Cluster) -> set[int]:
    """Return the pids of the server's processes."""
    assert cluster.postgres.process is not None
    return with_children(cluster.postgres.process.pid)


def table(sizes: list[Size]) -> str:
    """Return a Markdown table: a row for each figure, a column for each size."""
    lines = []
    for name, heading in HEADINGS.items():
        values = [getattr(size, name) for size in sizes]
        cells = [f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in values]
        lines.append(f"| {heading} | " + " | ".join(cells) + " |")
        if name == "organizations":
            lines.append("|---|" + "--:|" * len(sizes))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organizations", type=int, nargs="+", default=SIZES)
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    options = parser.parse_args()
    print(f"{machine()}, {memory_gib():.0f} GiB; load {load_average()}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="growth-"))
    sizes: list[Size] = []
    with Cluster(folder, webs=1, workers=2) as cluster:
        for organizations in sorted(options.organizations):
            sizes.append(measure(cluster, organizations, options.idle_seconds))
            print(f"\n{table(sizes)}", flush=True)


if __name__ == "__main__":
    main()
