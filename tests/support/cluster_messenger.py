"""The ways to a cluster that traffic of `tests.chaos` needs."""

from __future__ import annotations

from typing import Any

from simulator.client import ControlClient
from tests.support.application import Answer, ask
from tests.support.cluster import Cluster


class ClusterMessenger:
    """The ways to a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def simulator(self) -> ControlClient:
        return self._cluster.simulator

    def call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> Answer:
        port, token = self._cluster.webs[0].port, self._cluster.token
        return ask(port, method, path, token, 60, body, headers=headers)

    def manage(self, *arguments: str) -> str:
        return self._cluster.manage(*arguments)
