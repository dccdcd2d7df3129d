"""Messages on the links of a cluster, both ways, compared with the simulator at the end."""

from __future__ import annotations

import random

from tests.chaos.message_assertions import Result
from tests.chaos.message_check import look, settle
from tests.chaos.messages import MessageTraffic
from tests.support.cluster import Cluster
from tests.support.cluster_messenger import ClusterMessenger


class ClusterTraffic:
    """Messages of all organizations of a cluster, which must be connected.

    `total`: how many, half of them by people; `per_second`: both ways together.
    """

    def __init__(self, cluster: Cluster, total: int, per_second: float) -> None:
        self._messenger, self._organizations = ClusterMessenger(cluster), cluster.organizations
        numbers = {
            organization: str(
                cluster.webs[0].whatsapp("GET", organization, "status").body["number"]
            )
            for organization in self._organizations
        }
        self._owners = {number: organization for organization, number in numbers.items()}
        self._traffic = MessageTraffic(
            self._messenger,
            self._organizations,
            numbers.__getitem__,
            total,
            per_second,
            random.Random(1),
        )
        self._traffic.start()

    def settle(self, write_seconds: float, settle_seconds: float) -> Result:
        """Let it write for at most `write_seconds` more, and return the comparison.

        It is made again and again, for at most `settle_seconds`, until nothing is wrong.
        """
        self._traffic.join(write_seconds)
        return settle(
            self._messenger,
            self._traffic,
            lambda: look(self._messenger.simulator, self._organizations, self._owners),
            settle_seconds,
        )


def assert_complete(result: Result) -> None:
    """Print the comparison. Raises AssertionError if one was lost or is there twice."""
    print("\n".join(result.report_lines()))
    assert not result.problems, "\n".join(result.problems)
    assert result.counts["in: received"] and result.counts["out: delivered"]
