"""With full workers the status says so, and requests continue when there is room."""

from __future__ import annotations

from pathlib import Path

from tests.support.application import until
from tests.support.cluster import Cluster

SECONDS = 30.0


def reason(cluster: Cluster, organization: int) -> str:
    answer = cluster.webs[0].whatsapp("GET", organization, "status")
    return str(answer.body["reason"])


def test_request_waits_while_workers_are_full(tmp_path: Path) -> None:
    with Cluster(*(tmp_path, 1, 1), WORKER_CAPACITY="1", RECONNECT_WAIT_SECONDS="1") as cluster:
        cluster.link(1)
        until(lambda: cluster.living()[0]["sessions"] == 1, SECONDS, "a full worker")
        (first,) = cluster.organizations
        second = int(cluster.manage("create_organization", "One too many"))
        assert cluster.webs[0].whatsapp("POST", second, "reconnect").status == 202
        until(lambda: reason(cluster, second) == "no_room", SECONDS, "told that there is no room")
        status = cluster.webs[0].whatsapp("GET", second, "status").body
        assert (status["state"], status["hasQRCode"]) == ("connecting", False)
        assert "start another worker" in status["nextStep"]
        # The full worker keeps its own organization.
        assert reason(cluster, first) == "linked"
        cluster.webs[0].whatsapp("DELETE", first, "disconnect")
        until(lambda: reason(cluster, second) == "waiting_for_scan", SECONDS, "a QR code")
