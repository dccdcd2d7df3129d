"""Responses of /healthz and /readyz, and the checks behind them."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from connections.models import Worker
from monitoring import health
from monitoring.endpoints import HealthMiddleware
from monitoring.health import DEADLINE_SECONDS, Readiness, known_migrations
from tests.support.services import Redis
from whatsapp_orgs import backends
from whatsapp_orgs.tests.support.asgi_client import INNER_STATUS, ask, inner_application

# A kubelet sends the address of the pod as the Host.
POD_HEADERS = {"host": "10.1.2.3:8000"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker() -> Worker:
    return Worker.objects.create(name="a host's name")


async def test_healthz_answers_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_check_database", fail)
    response = await ask(HealthMiddleware(inner_application), "/healthz", headers=POD_HEADERS)
    assert (response.status, response.text) == (200, "ok\n")


async def test_readyz_returns_200_when_all_checks_pass(worker: Worker) -> None:
    response = await ask(
        HealthMiddleware(inner_application), "/readyz", client=("10.9.9.9", 1), headers=POD_HEADERS
    )
    assert response.status == 200
    assert response.json == {
        "ready": True,
        "checks": dict.fromkeys(["database", "migrations", "channel_layer", "worker"], "ok"),
    }
    assert response.headers[b"cache-control"] == b"no-store"
    assert worker.name not in response.text


async def test_readyz_can_be_repeated(worker: Worker) -> None:
    probes = HealthMiddleware(inner_application)
    for _ in range(3):
        assert (await ask(probes, "/readyz")).status == 200


async def test_readyz_fails_without_a_living_worker(worker: Worker) -> None:
    silent = timezone.now() - Worker.OFFLINE_AFTER - timedelta(seconds=1)
    await Worker.objects.aupdate(heartbeat_at=silent)
    response = await ask(HealthMiddleware(inner_application), "/readyz")
    assert response.status == 503 and not response.json["ready"]
    assert [name for name, result in response.json["checks"].items() if result == "failed"] == [
        "worker"
    ]


async def test_readyz_omits_excluded_checks() -> None:
    response = await ask(
        HealthMiddleware(inner_application), "/readyz?exclude=worker&exclude=channel_layer"
    )
    assert response.status == 200 and set(response.json["checks"]) == {"database", "migrations"}


async def test_readyz_fails_with_a_broken_channel_layer(settings: Settings, worker: Worker) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "connections.tests.support.broken_layer.BrokenLayer"}
    }
    response = await ask(HealthMiddleware(inner_application), "/readyz")
    assert response.status == 503 and response.json["checks"]["channel_layer"] == "failed"
    assert response.json["checks"]["database"] == "ok"


async def test_readyz_follows_an_outage_of_redis(settings: Settings, worker: Worker) -> None:
    with Redis() as redis:
        settings.CHANNEL_LAYERS = {"default": backends.channel_layer(redis.url, "test")}
        probes = HealthMiddleware(inner_application)
        path = "/readyz?exclude=worker"
        assert (await ask(probes, path)).status == 200
        redis.end(signal.SIGKILL)
        started = time.monotonic()
        assert (await ask(probes, path)).json["checks"]["channel_layer"] == "failed"
        assert time.monotonic() - started < DEADLINE_SECONDS + 10
        redis.start()
        deadline = time.monotonic() + 20
        while (await ask(probes, path)).status != 200:
            assert time.monotonic() < deadline, "still not ready"
            await asyncio.sleep(0.2)
        layer: Any = get_channel_layer()
        await layer.flush()


@pytest.fixture
def missing_migration(transactional_db: None) -> Iterator[None]:
    applied = MigrationRecorder(connection).migration_qs.filter(app="connections")
    newest = applied.latest("pk")
    newest.delete()
    yield
    MigrationRecorder(connection).record_applied(newest.app, newest.name)


async def test_readyz_fails_with_a_missing_migration(
    missing_migration: None, worker: Worker
) -> None:
    response = await ask(HealthMiddleware(inner_application), "/readyz")
    assert [name for name, result in response.json["checks"].items() if result == "failed"] == [
        "migrations"
    ]


def test_known_migrations_are_those_of_django() -> None:
    from django.db.migrations.loader import MigrationLoader

    assert known_migrations() == set(MigrationLoader(connection).disk_migrations)


async def test_hanging_database_fails_the_check_at_its_deadline(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, started_checks = threading.Event(), []

    def hang() -> None:
        started_checks.append(1)
        released.wait(30)

    monkeypatch.setattr(health, "_check_database", hang)
    probes = HealthMiddleware(inner_application)
    started = time.monotonic()
    try:
        response, second = await asyncio.gather(ask(probes, "/readyz"), ask(probes, "/readyz"))
        assert (await ask(probes, "/healthz")).status == 200
    finally:
        released.set()
    assert time.monotonic() - started < DEADLINE_SECONDS + 10
    assert response.json == second.json
    assert response.json["checks"]["database"] == "failed"
    assert response.json["checks"]["worker"] == "ok"
    # Concurrent requests start no second check.
    assert started_checks == [1]


async def test_reason_of_a_failure_is_logged_once_and_not_sent(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "_check_database", fail)
    readiness = Readiness()
    for _ in range(3):
        assert await readiness.check(["database"]) == {"database": False}
    monkeypatch.undo()
    assert await readiness.check(["database"]) == {"database": True}
    response = [record.getMessage() for record in caplog.records if record.name == health.__name__]
    assert response == ["a readiness check failed", "a readiness check passes again"]
    assert "password" not in caplog.text


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "x-real-ip"]
)
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_forwarded_request_is_not_answered(path: str, header: str) -> None:
    response = await ask(HealthMiddleware(inner_application), path, headers={header: "192.0.2.1"})
    assert response.status == INNER_STATUS


@pytest.mark.parametrize(
    "path", ["/", "/healthz/", "/readyz/x", "/admin/", "//healthz", "/Healthz"]
)
async def test_other_paths_go_to_the_application(path: str) -> None:
    assert (await ask(HealthMiddleware(inner_application), path)).status == INNER_STATUS


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_get_405(method: str) -> None:
    response = await ask(HealthMiddleware(inner_application), "/readyz", method)
    assert response.status == 405 and response.headers[b"allow"] == b"GET, HEAD"


async def test_head_response_has_no_body(worker: Worker) -> None:
    response = await ask(HealthMiddleware(inner_application), "/readyz", "HEAD")
    assert response.status == 200 and response.text == ""


async def test_open_sockets_are_counted() -> None:
    async def open_socket(scope: object, receive: object, send: object) -> None:
        assert probes.open_sockets == 1
        raise ConnectionError

    probes = HealthMiddleware(open_socket)
    with pytest.raises(ConnectionError):
        await probes({"type": "websocket"}, do_nothing, do_nothing)
    assert probes.open_sockets == 0


async def do_nothing(*arguments: object) -> None:
    """Do nothing."""


def fail() -> None:
    raise ConnectionError("postgres://user:password@db.internal/name is away")
