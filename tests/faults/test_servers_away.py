"""PostgreSQL and Redis go away under a running product, and come back."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from tests.support.application import Answer, Application, until
from tests.support.faults import servers
from tests.support.linking import decode
from tests.support.raw_http import TEXT, RawConnection
from tests.support.services import Postgres, Redis

# Well below the time that a request waits for a connection of a pool whose connections are all out.
AT_ONCE = 8.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@pytest.fixture(scope="module")
def product(
    postgres: Postgres, redis: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    with Application(
        tmp_path_factory.mktemp("away") / "data", DATABASE_URL=postgres.url, REDIS_URL=redis.url
    ) as running:
        yield running


def status(product: Application, organization: int) -> Answer:
    return product.api("GET", organization, "status", timeout=60)


def test_linking_works_and_page_updates_without_redis(product: Application, redis: Redis) -> None:
    organization = product.new_organizations("Linked without Redis")[0]
    with servers.away(redis):
        answer = product.api("POST", organization, "reconnect", timeout=60)
        assert answer.status == 200, answer
        with RawConnection(product) as page:
            page.open_websocket(
                f"/ws/organizations/{organization}/connection/", product.facts["token"]
            )
            kind, first = page.frame()
            assert (kind, json.loads(first)["state"]) == (TEXT, "awaiting_scan")
            product.simulator.scan(decode(answer))
            product.wait_for_state(organization, "connected", 30)
            # Nobody tells the page: it looks by itself, more rarely than that.
            states = []
            while "connected" not in states:
                states.append(json.loads(page.frame()[1])["state"])
    assert product.api("DELETE", organization, "disconnect", timeout=60).status == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_requests_get_503_during_a_postgresql_restart_and_succeed_afterwards(
    product: Application, postgres: Postgres, how: signal.Signals
) -> None:
    organization = product.organization()
    assert status(product, organization).status == 200
    with servers.away(postgres, how):
        for _ in range(2):
            # Not a status: that may be a second old.
            away = product.request("GET", "/api/v1/organizations", timeout=60)
            assert (away.status, away.body["code"]) == (503, "database_unavailable"), away
            assert int(away.headers["Retry-After"]) > 0
            assert away.seconds < AT_ONCE
    for _ in range(3):
        back = status(product, organization)
        assert (back.status, back.seconds < AT_ONCE) == (200, True), back
    assert product.api("POST", organization, "reconnect", timeout=60).status == 200
    until(
        lambda: status(product, organization).body["reason"] == "waiting_for_scan",
        60,
        "the worker is back, too",
    )
