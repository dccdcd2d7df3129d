"""Messages in a cluster while its workers and PostgreSQL fail: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

from tests.chaos.message_check import SETTINGS, look, settle
from tests.chaos.messages import MessageTraffic
from tests.support.application import until
from tests.support.cluster import Cluster, Member
from tests.support.cluster_messenger import ClusterMessenger
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
        numbers = {
            organization: str(
                cluster.webs[0].whatsapp("GET", organization, "status").body["number"]
            )
            for organization in cluster.organizations
        }
        owners = {number: organization for organization, number in numbers.items()}
        messenger = ClusterMessenger(cluster)
        traffic = MessageTraffic(
            messenger,
            cluster.organizations,
            numbers.__getitem__,
            MESSAGES,
            PER_SECOND,
            random.Random(1),
        )
        traffic.start()
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
        traffic.join(SETTLE_SECONDS)
        result = settle(
            messenger,
            traffic,
            lambda: look(messenger.simulator, cluster.organizations, owners),
            SETTLE_SECONDS,
        )
    print("\n".join(result.report_lines()))
    assert not result.problems, "\n".join(result.problems)
    assert result.counts["in: received"] and result.counts["out: delivered"]
