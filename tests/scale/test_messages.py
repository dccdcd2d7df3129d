"""Messages in a cluster while its workers and PostgreSQL fail: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.chaos.message_check import SETTINGS
from tests.scale.cluster_traffic import ClusterTraffic, assert_complete
from tests.support.application import until
from tests.support.cluster import Cluster, Member
from tests.support.faults import processes, servers

ORGANIZATIONS = int(os.environ.get("SCALE_ORGANIZATIONS", "6"))
MESSAGES = int(os.environ.get("SCALE_MESSAGES", "240"))
PER_SECOND = 12.0
# The longest takeover from a dead worker, and from the last failure until all is settled.
TAKEOVER_SECONDS, SETTLE_SECONDS = 15.0, 150.0


def wait_for_takeover(cluster: Cluster, member: Member, worker: int) -> None:
    until(
        lambda: worker not in cluster.owners().values(), TAKEOVER_SECONDS, f"{member.name} is gone"
    )


def test_messages_survive_failures_of_workers_and_of_postgresql(tmp_path: Path) -> None:
    with Cluster(tmp_path, 1, 2, **SETTINGS) as cluster:
        cluster.link(ORGANIZATIONS)
        until(cluster.at_rest, SETTLE_SECONDS, "all connected")
        traffic = ClusterTraffic(cluster, MESSAGES, PER_SECOND)
        first, second = cluster.workers
        worker = cluster.worker_of(first)
        with processes.killed(first):
            wait_for_takeover(cluster, first, worker)
        cluster.wait_for_workers(2)
        with servers.away(cluster.postgres, signal.SIGINT):
            pass
        until(lambda: len(cluster.living()) == 2, SETTLE_SECONDS, "two workers")
        worker = cluster.worker_of(second)
        with processes.stopped(*second.processes()):
            wait_for_takeover(cluster, second, worker)
        cluster.wait_for_workers(2)
        result = traffic.settle(SETTLE_SECONDS, SETTLE_SECONDS)
    assert_complete(result)
