"""`python -m bench.postgresql [ORGANIZATIONS…]`: count the connections to PostgreSQL.

Starts a PostgreSQL (with fsync), the product and the simulator, links organizations, and prints for
each number of them the connections of hosts (the Go library), stores and Django: while idle and
while all links resume.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from bench.measure import stop_on_sigterm
from bench.waiting import until
from tests.support.application import Application
from tests.support.linking import decode
from tests.support.services import Postgres

SIZES = (1, 25, 100)
PARALLEL_LINKS = 2
SAMPLE_SECONDS = 0.05
REST_SECONDS = 15.0
KINDS = {"whatsapp_orgs host": "hosts", "whatsapp_orgs stores": "stores"}
QUERY = """
    SELECT application_name, count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1
"""


class ConnectionSampler:
    """Samples the open connections of each kind, and keeps the maximum."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.maximum: Counter[str] = Counter()
        self.total = self.seconds = 0.0

    def _sample(self) -> None:
        started = time.monotonic()
        with psycopg.connect(self._url, autocommit=True) as connection:
            samples = 0
            while not self._stopped.wait(SAMPLE_SECONDS):
                now: Counter[str] = Counter()
                for name, count in connection.execute(QUERY):
                    now[KINDS.get(str(name), "django")] += int(count)
                self.maximum |= now
                self.maximum |= Counter({"together": now.total()})
                self.total += now["hosts"]
                samples += 1
            self.total /= max(1, samples)
        self.seconds = time.monotonic() - started

    def during(self, action: Callable[[], object]) -> str:
        """Call `action`. Returns the connections during it as text."""
        self._thread.start()
        try:
            action()
        finally:
            self._stopped.set()
            self._thread.join()
        found = ", ".join(f"{kind} {self.maximum[kind]}" for kind in ("hosts", "stores", "django"))
        return (
            f"most: {found}, together {self.maximum['together']}; "
            f"hosts on average {self.total:.1f} ({self.seconds:.1f} s)"
        )


def link(product: Application, organization: int) -> None:
    answer = product.api("POST", organization, "reconnect", timeout=60)
    assert answer.status == 200, answer
    product.simulator.scan(decode(answer))
    product.wait_for_state(organization, "connected", 60)


def all_online(product: Application, count: int) -> bool:
    return sum(bool(device["online"]) for device in product.simulator.devices()) >= count


def measure(product: Application, url: str, size: int) -> None:
    """Link up to `size` organizations, and print the open connections."""
    linked = sum(bool(device["online"]) for device in product.simulator.devices())
    fresh = product.new_organizations(*(f"Bench {linked + n}" for n in range(size - linked)))

    def link_all() -> None:
        with ThreadPoolExecutor(PARALLEL_LINKS) as pool:
            list(pool.map(lambda organization: link(product, organization), fresh))
        until(lambda: all_online(product, size), 60, "all online")

    print(
        f"{size} linked, while {len(fresh)} pair: {ConnectionSampler(url).during(link_all)}",
        flush=True,
    )
    time.sleep(5)
    print(
        f"{size} linked, at rest: {ConnectionSampler(url).during(lambda: time.sleep(REST_SECONDS))}"
    )
    product.stop()

    def resume_all() -> None:
        product.start()
        until(lambda: all_online(product, size), 120, "all online again")

    print(f"{size} linked, all resumed: {ConnectionSampler(url).during(resume_all)}", flush=True)


def main(sizes: list[int]) -> None:
    """Print the figures."""
    stop_on_sigterm()
    with (
        tempfile.TemporaryDirectory() as folder,
        Postgres(fsync="on") as postgres,
        Application(
            Path(folder), DATABASE_URL=postgres.url, RECONNECTS_PER_CALLER="100000"
        ) as product,
    ):
        for size in sizes:
            measure(product, postgres.url, size)
        [(megabytes,)] = postgres.sql("SELECT pg_database_size('postgres') / 1000000")
        print(f"The database has {megabytes} MB.")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or list(SIZES))
