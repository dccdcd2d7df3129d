"""What a cluster has used until now: CPU of its parts, and the counters of its servers."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.measure import cpu_seconds, pss_mib
from tests.support import host_processes
from tests.support.cluster import Cluster

# Backends report their statistics up to some ten seconds late: short windows with few messages are
# not exact.
_DATABASE_COUNTERS = """
SELECT sum(xact_commit), sum(tup_inserted), sum(tup_updated), sum(tup_deleted),
       pg_current_wal_lsn() - '0/0'::pg_lsn, sum(pg_database_size(datid))
FROM pg_stat_database WHERE datid <> 0
"""
_DATABASE_NAMES = ("transactions", "inserted", "updated", "deleted", "wal_bytes", "database_bytes")
_TCP_BYTES = re.compile(r" bytes_(?:sent|received):(\d+)")


@dataclass(frozen=True)
class Sample:
    """CPU seconds by group and counters, both since their start. `at`: monotonic seconds."""

    at: float
    cpu: Mapping[str, float]
    counters: Mapping[str, float]


@dataclass(frozen=True)
class Window:
    """What was used between two samples."""

    seconds: float
    cpu: Mapping[str, float]
    counters: Mapping[str, float]

    def percent(self, group: str) -> float:
        """Return the CPU use of a group, in % of a core."""
        return 100 * self.cpu[group] / self.seconds

    def rate(self, counter: str) -> float:
        """Return how much a counter grew in a second."""
        return self.counters[counter] / self.seconds


def between(first: Sample, last: Sample) -> Window:
    """Return what was used from the first to the last sample."""
    cpu = {name: last.cpu[name] - spent for name, spent in first.cpu.items()}
    counters = {
        name: last.counters[name] - value
        for name, value in first.counters.items()
        if name in last.counters
    }
    return Window(last.at - first.at, cpu, counters)


def take(cluster: Cluster) -> Sample:
    """Return what the cluster has used until now."""
    parts = {**groups(cluster), "simulator": {cluster.simulator.health()["pid"]}}
    # Backends of PostgreSQL that have ended are counted at the server process, their parent.
    cpu = {name: sum(cpu_seconds(pid, True) for pid in pids) for name, pids in parts.items()}
    row = cluster.postgres.sql(_DATABASE_COUNTERS)[0]
    counters = {name: float(str(value)) for name, value in zip(_DATABASE_NAMES, row, strict=True)}
    return Sample(time.monotonic(), cpu, {**counters, **_redis(cluster), **_whatsapp(cluster)})


def memory(cluster: Cluster) -> dict[str, float]:
    """Return the PSS of each group, in MiB."""
    parts = {**groups(cluster), "simulator": {cluster.simulator.health()["pid"]}}
    return {name: pss_mib(pids) for name, pids in parts.items()}


def groups(cluster: Cluster) -> dict[str, set[int]]:
    """Return the processes of each part of the product, and of its servers."""
    assert cluster.redis.process is not None
    hosts = set().union(*map(host_processes.host_processes, cluster.workers))
    workers = set().union(*(worker.processes() for worker in cluster.workers))
    return {
        "web": set().union(*(web.processes() for web in cluster.webs)),
        "workers": workers - hosts,
        "hosts": hosts,
        "postgres": _postgres(cluster),
        "redis": {cluster.redis.process.pid},
    }


def _postgres(cluster: Cluster) -> set[int]:
    assert cluster.postgres.process is not None
    parent = str(cluster.postgres.process.pid)
    found = {int(parent)}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if path.read_text().rpartition(")")[2].split()[1] == parent:
                found.add(int(path.parent.name))
        except OSError:
            continue  # It ended meanwhile.
    return found


def _redis(cluster: Cluster) -> dict[str, float]:
    from redis import Redis

    with Redis.from_url(cluster.redis.url) as client:
        found = client.info()
    network = found["total_net_input_bytes"] + found["total_net_output_bytes"]
    return {
        "redis_commands": float(found["total_commands_processed"]),
        "redis_bytes": float(network),
    }


def _whatsapp(cluster: Cluster) -> dict[str, float]:
    """Return the bytes of TCP payload on the open sockets to WhatsApp; {} without `ss`."""
    if shutil.which("ss") is None:
        return {}
    (port,) = cluster.simulator_ports
    command = ["ss", "-tinHO", "state", "established", f"dport = :{port}"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=30)
    return {"whatsapp_bytes": float(sum(map(int, _TCP_BYTES.findall(lines.stdout))))}
