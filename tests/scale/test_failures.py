"""Failures of web processes, workers, PostgreSQL and Redis in a cluster.

After each failure all organizations are connected again without a scan or logout, no request is
lost, and WhatsApp never sees two clients of one device. Results are printed (`pytest -s`);
SCALE_ORGANIZATIONS and SCALE_LONG=1 make a longer run (`make scale`), with messages on all links
from its first test to its last: none is lost, and none is there twice.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed

from tests.chaos.message_check import SETTINGS, SETTLE_SECONDS
from tests.scale.cluster_traffic import ClusterTraffic, assert_complete
from tests.scale.socket_monitor import SocketMonitor
from tests.support.application import until
from tests.support.cluster import Cluster, Member
from tests.support.faults import processes, servers
from tests.support.namespace import Namespace, can_create_namespace
from tests.support.qr_reading import read_url

ORGANIZATIONS = int(os.environ.get("SCALE_ORGANIZATIONS", "12"))
LONG = os.environ.get("SCALE_LONG") == "1"
# The longest takeover from a dead worker.
TAKEOVER_SECONDS = 15.0
TIMEOUT_SECONDS = 60.0
# Of a worker that can hand nothing over.
STOP_SECONDS = 10.0
# Of a long run: both ways together, and more than it has time to write.
MESSAGES_PER_SECOND, MESSAGES = 6.0, 1_000_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = SETTINGS if LONG else {}
    with Cluster(tmp_path_factory.mktemp("scale"), webs=2, workers=3, **settings) as running:
        running.link(ORGANIZATIONS)
        yield running


@pytest.fixture(scope="module")
def traffic(cluster: Cluster) -> ClusterTraffic | None:
    """The messages of a long run."""
    if not LONG:
        return None
    until(cluster.at_rest, TIMEOUT_SECONDS, "all connected before the first message")
    return ClusterTraffic(cluster, MESSAGES, MESSAGES_PER_SECOND)


@pytest.fixture
def monitor(
    cluster: Cluster, traffic: ClusterTraffic | None
) -> Iterator[Callable[[], SocketMonitor]]:
    """Monitor sockets in a test. All organizations are connected before and after it."""
    until(cluster.at_rest, TIMEOUT_SECONDS, "all connected before")
    pairings = cluster.simulator.stats()["pairings"]
    with SocketMonitor(cluster.simulator) as socket_monitor:
        yield lambda: socket_monitor
        until(cluster.settled, TIMEOUT_SECONDS, f"all connected after: {cluster.states()}")
        seen = socket_monitor.polls  # A short test may end between two of them.
        until(lambda: socket_monitor.polls > max(seen, 5), TIMEOUT_SECONDS, "polls of the sockets")
    assert socket_monitor.max_per_device == 1, "two clients of one device at the same time"
    # A test disconnects what it links.
    assert socket_monitor.logouts == cluster.simulator.stats()["pairings"] - pairings <= 1


@contextmanager
def one_more(cluster: Cluster, name: str) -> Iterator[int]:
    """An organization of a test, which leaves none that is connected behind, also when it fails."""
    organization = int(cluster.manage("create_organization", name))
    try:
        yield organization
    finally:
        web = next(web for web in cluster.webs if web.answers())
        answer = web.whatsapp("DELETE", organization, "disconnect")
        assert answer.status == 200, answer


def is_taken_over(cluster: Cluster, worker: int) -> bool:
    """Return whether other workers own all its organizations."""
    return worker not in cluster.owners().values()


def owned_count(cluster: Cluster, member: Member) -> int:
    return Counter(cluster.owners().values())[cluster.worker_of(member)]


def stop_seconds(member: Member) -> float:
    """Stop a process; return how long that takes."""
    since = time.monotonic()
    assert member.stop() == 0
    return time.monotonic() - since


def print_result(what: str, since: float, monitor: SocketMonitor, more: str = "") -> None:
    seconds = time.monotonic() - since
    print(
        f"\n  {what:<42} {seconds:6.1f} s  fewest online {monitor.min_online:3d} of"
        f" {ORGANIZATIONS}  most logins in a second {monitor.peak_logins:3d} {more}"
    )


def test_killed_worker_is_taken_over_and_returns(
    cluster: Cluster, monitor: Callable[[], SocketMonitor]
) -> None:
    victim = cluster.workers[0]
    worker, organizations = cluster.worker_of(victim), owned_count(cluster, victim)
    since = time.monotonic()
    fault = processes.killed(victim)
    fault.start()
    until(lambda: is_taken_over(cluster, worker), TAKEOVER_SECONDS, "taken over by others")
    taken = time.monotonic() - since
    until(cluster.settled, TIMEOUT_SECONDS, "all connected")
    print_result(
        "kill -9 of a worker", since, monitor(), f"taken over in {taken:.1f} s: {organizations}"
    )
    assert monitor().replaced == 0
    # It starts again, and gets its fair share.
    fault.end()
    cluster.wait_for_workers(3)
    fair_share = ORGANIZATIONS // 3
    until(lambda: owned_count(cluster, victim) >= fair_share - 1, TIMEOUT_SECONDS, "a fair part")
    until(cluster.settled, TIMEOUT_SECONDS, "all connected")
    print_result("… and its return, until it has its part", since, monitor())


@pytest.mark.parametrize("whole_tree", [False, True], ids=["the supervisor", "all its processes"])
def test_stopped_worker_is_taken_over_without_double_logins(
    cluster: Cluster, monitor: Callable[[], SocketMonitor], whole_tree: bool
) -> None:
    victim = cluster.workers[1]
    worker = cluster.worker_of(victim)
    since = time.monotonic()
    with processes.stopped(*(victim.processes() if whole_tree else {victim.pid})):
        until(lambda: is_taken_over(cluster, worker), TAKEOVER_SECONDS, "taken over by others")
        until(cluster.settled, TIMEOUT_SECONDS, "all connected")
        print_result(f"SIGSTOP of {'a worker' if whole_tree else 'a supervisor'}", since, monitor())
        while time.monotonic() < since + (40 if LONG else 20):
            time.sleep(0.1)
        logins = cluster.simulator.stats()["logins"]
    cluster.wait_for_workers(3)
    # It takes over its share with one login each; a conflict would cause many.
    until(lambda: owned_count(cluster, victim) > 0, TIMEOUT_SECONDS, "a part for it")
    until(cluster.settled, TIMEOUT_SECONDS, "all connected")
    again = cluster.simulator.stats()["logins"] - logins
    print_result("… SIGCONT", since, monitor(), f"{again} logins after it")
    assert again <= ORGANIZATIONS


def test_links_stay_up_and_new_ones_work_without_redis(
    cluster: Cluster, monitor: Callable[[], SocketMonitor]
) -> None:
    since = time.monotonic()
    with one_more(cluster, "While Redis is away") as fresh:
        with servers.away(cluster.redis):
            link_started = time.monotonic()
            cluster.link_one(fresh)
            linked = time.monotonic() - link_started
            while time.monotonic() < since + (30 if LONG else 8):
                time.sleep(0.1)
            # Also no worker hands one over to even out the loads: its next owner would not be told.
            fewest = monitor().min_online
        print_result("Redis away", since, monitor(), f"a new one linked in {linked:.1f} s")
    assert fewest >= ORGANIZATIONS


def test_links_survive_a_postgresql_restart(
    cluster: Cluster, monitor: Callable[[], SocketMonitor]
) -> None:
    since = time.monotonic()
    with servers.away(cluster.postgres, signal.SIGINT):
        pass
    outage_seconds = time.monotonic() - since
    until(lambda: all(web.answers() for web in cluster.webs), TIMEOUT_SECONDS, "both answer")
    until(cluster.settled, TIMEOUT_SECONDS, "all connected")
    print_result("PostgreSQL restarted", since, monitor(), f"away for {outage_seconds:.1f} s")


def test_long_postgresql_outage_closes_sockets_and_recovers(
    cluster: Cluster, monitor: Callable[[], SocketMonitor]
) -> None:
    """Workers close all sockets when their leases expire. A stop takes no longer than ever."""
    stops = []
    with servers.away(cluster.postgres, signal.SIGINT):
        since = time.monotonic()
        stops.append(stop_seconds(cluster.workers[1]))
        until(lambda: cluster.online() == 0, 15, "all sockets closed")
        closed = time.monotonic() - since
        stops.append(stop_seconds(cluster.workers[2]))
        while time.monotonic() < since + (30 if LONG else 12):
            time.sleep(0.1)
    back = time.monotonic()
    for stopped in cluster.workers[1:]:
        stopped.start()
    print(f"\n  stopped with and without a lease in {stops[0]:.1f} and {stops[1]:.1f} s")
    assert max(stops) < STOP_SECONDS
    until(cluster.settled, TIMEOUT_SECONDS, "all connected")
    cluster.wait_for_workers(3)
    print_result("PostgreSQL back", back, monitor(), f"sockets were closed after {closed:.1f} s")


def test_killed_web_process_loses_no_request(
    cluster: Cluster, monitor: Callable[[], SocketMonitor]
) -> None:
    """The other web process continues a request, and a page reconnects to it."""
    first, second = cluster.webs
    since = time.monotonic()
    fault = processes.killed(first)
    with one_more(cluster, "Asked of another web process") as fresh:
        with first.socket(fresh) as page:
            assert json.loads(page.recv(10))["state"] == "disconnected"
            answer = first.whatsapp("POST", fresh, "reconnect")
            assert answer.status in (200, 202), answer
            fault.start()
            with pytest.raises(ConnectionClosed):
                while True:
                    page.recv(10)
        with second.socket(fresh) as page:
            assert json.loads(page.recv(10))["state"] in ("connecting", "awaiting_scan")
        picture = until(
            lambda: second.whatsapp("POST", fresh, "reconnect").body.get("qrCode"), 15, "a QR code"
        )
        cluster.simulator.scan(read_url(picture))
        until(
            lambda: second.whatsapp("GET", fresh, "status").body["state"] == "connected",
            *(15, "linked"),
        )
        print_result("a web process is killed under a pairing", since, monitor())
    fault.end()
    until(first.answers, TIMEOUT_SECONDS, "it answers again")


def test_regular_worker_stop_hands_over(
    cluster: Cluster, monitor: Callable[[], SocketMonitor]
) -> None:
    """Organizations are handed over a few at a time."""
    victim = cluster.workers[2]
    organizations = owned_count(cluster, victim)
    since = time.monotonic()
    try:
        assert victim.stop() == 0
        handover_seconds = time.monotonic() - since
        until(cluster.settled, TIMEOUT_SECONDS, "all connected")
        print_result(
            "SIGTERM of a worker",
            since,
            monitor(),
            f"{organizations} handed over in {handover_seconds:.1f} s",
        )
        assert monitor().min_online >= ORGANIZATIONS - max(3, organizations // 2)
    finally:
        victim.start()
        cluster.wait_for_workers(3)
    until(lambda: owned_count(cluster, victim) > 0, TIMEOUT_SECONDS, "a part for it")


@pytest.mark.skipif(not can_create_namespace(), reason="no network namespace can be made here")
def test_isolated_worker_closes_its_sockets(
    cluster: Cluster, monitor: Callable[[], SocketMonitor]
) -> None:
    """A worker without network closes its sockets by itself."""
    simulator = cluster.simulator_ports
    with Namespace(cluster.postgres.port, cluster.redis.port, *simulator) as namespace:
        isolated = cluster.add_worker(prefix=namespace.prefix)
        try:
            cluster.wait_for_workers(4)
            until(lambda: owned_count(cluster, isolated) > 0, TIMEOUT_SECONDS, "a part for it")
            until(cluster.settled, TIMEOUT_SECONDS, "all connected")
            worker = cluster.worker_of(isolated)
            since = time.monotonic()
            with servers.cut_off(namespace):
                until(lambda: is_taken_over(cluster, worker), TAKEOVER_SECONDS, "taken over")
                until(cluster.settled, TIMEOUT_SECONDS, "all connected")
                print_result("a worker is cut off", since, monitor())
                assert "all sockets are closed" in isolated.log_text()
            cluster.wait_for_workers(4)
            until(
                lambda: owned_count(cluster, isolated) > 0, TIMEOUT_SECONDS, "a part for it again"
            )
            print_result("… and back", since, monitor())
            isolated.stop()
        finally:
            isolated.kill()
            cluster.workers.remove(isolated)


@pytest.mark.skipif(not LONG, reason="test_messages.py has messages and failures in a short run")
def test_no_message_of_the_run_was_lost_or_sent_twice(traffic: ClusterTraffic) -> None:
    """It is the last one: the messages were there during all failures above."""
    assert_complete(traffic.settle(0, SETTLE_SECONDS))
