"""What a probe is told: whether this process answers, and whether it can serve."""

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
from whatsapp_orgs.tests.support.asgi_client import PASSED_INSIDE, ask, inside

# As a kubelet asks: by the address of the pod.
ADDRESSED = {"host": "10.1.2.3:8000"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker() -> Worker:
    return Worker.objects.create(name="a host's name")


async def test_the_process_answers_without_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_answers", fails)
    told = await ask(HealthMiddleware(inside), "/healthz", headers=ADDRESSED)
    assert (told.status, told.text) == (200, "ok\n")


async def test_all_is_well(worker: Worker) -> None:
    told = await ask(HealthMiddleware(inside), "/readyz", client=("10.9.9.9", 1), headers=ADDRESSED)
    assert told.status == 200
    assert told.json == {
        "ready": True,
        "checks": dict.fromkeys(["database", "migrations", "channel_layer", "worker"], "ok"),
    }
    assert told.headers[b"cache-control"] == b"no-store"
    assert worker.name not in told.text


async def test_it_is_asked_again_and_again(worker: Worker) -> None:
    probes = HealthMiddleware(inside)
    for _ in range(3):
        assert (await ask(probes, "/readyz")).status == 200


async def test_no_worker_lives(worker: Worker) -> None:
    silent = timezone.now() - Worker.OFFLINE_AFTER - timedelta(seconds=1)
    await Worker.objects.aupdate(heartbeat_at=silent)
    told = await ask(HealthMiddleware(inside), "/readyz")
    assert told.status == 503 and not told.json["ready"]
    assert [name for name, how in told.json["checks"].items() if how == "failed"] == ["worker"]


async def test_a_check_can_be_left_out() -> None:
    told = await ask(HealthMiddleware(inside), "/readyz?exclude=worker&exclude=channel_layer")
    assert told.status == 200 and set(told.json["checks"]) == {"database", "migrations"}


async def test_the_signals_do_not_pass(settings: Settings, worker: Worker) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "connections.tests.support.broken_layer.BrokenLayer"}
    }
    told = await ask(HealthMiddleware(inside), "/readyz")
    assert told.status == 503 and told.json["checks"]["channel_layer"] == "failed"
    assert told.json["checks"]["database"] == "ok"


async def test_a_redis_that_goes_and_comes_back_shows(settings: Settings, worker: Worker) -> None:
    with Redis() as redis:
        settings.CHANNEL_LAYERS = {"default": backends.channel_layer(redis.url, "test")}
        probes = HealthMiddleware(inside)
        path = "/readyz?exclude=worker"
        assert (await ask(probes, path)).status == 200
        redis.end(signal.SIGKILL)
        started = time.monotonic()
        assert (await ask(probes, path)).json["checks"]["channel_layer"] == "failed"
        assert time.monotonic() - started < DEADLINE_SECONDS + 10
        redis.start()
        deadline = time.monotonic() + 20
        while (await ask(probes, path)).status != 200:
            assert time.monotonic() < deadline, "it is never ready again"
            await asyncio.sleep(0.2)
        layer: Any = get_channel_layer()
        await layer.flush()


@pytest.fixture
def unmigrated(transactional_db: None) -> Iterator[None]:
    applied = MigrationRecorder(connection).migration_qs.filter(app="connections")
    newest = applied.latest("pk")
    newest.delete()
    yield
    MigrationRecorder(connection).record_applied(newest.app, newest.name)


async def test_a_migration_is_not_applied(unmigrated: None, worker: Worker) -> None:
    told = await ask(HealthMiddleware(inside), "/readyz")
    assert [name for name, how in told.json["checks"].items() if how == "failed"] == ["migrations"]


def test_every_migration_is_known_by_its_file() -> None:
    from django.db.migrations.loader import MigrationLoader

    assert known_migrations() == set(MigrationLoader(connection).disk_migrations)


async def test_a_database_that_hangs_is_waited_for_no_longer_than_two_seconds(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, begun = threading.Event(), []

    def hang() -> None:
        begun.append(1)
        released.wait(30)

    monkeypatch.setattr(health, "_answers", hang)
    probes = HealthMiddleware(inside)
    started = time.monotonic()
    try:
        told, again = await asyncio.gather(ask(probes, "/readyz"), ask(probes, "/readyz"))
        assert (await ask(probes, "/healthz")).status == 200
    finally:
        released.set()
    assert time.monotonic() - started < DEADLINE_SECONDS + 10
    assert told.json == again.json
    assert told.json["checks"]["database"] == "failed"
    assert told.json["checks"]["worker"] == "ok"
    # However often it is asked meanwhile, one thread hangs.
    assert begun == [1]


async def test_why_it_fails_is_said_once_in_the_log_and_not_to_the_probe(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "_answers", fails)
    readiness = Readiness()
    for _ in range(3):
        assert await readiness.look(["database"]) == {"database": False}
    monkeypatch.undo()
    assert await readiness.look(["database"]) == {"database": True}
    told = [record.getMessage() for record in caplog.records if record.name == health.__name__]
    assert told == ["a check of readiness fails", "a check of readiness is well again"]
    assert "password" not in caplog.text


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "x-real-ip"]
)
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_what_a_proxy_passes_on_finds_no_probe(path: str, header: str) -> None:
    told = await ask(HealthMiddleware(inside), path, headers={header: "192.0.2.1"})
    assert told.status == PASSED_INSIDE


@pytest.mark.parametrize(
    "path", ["/", "/healthz/", "/readyz/x", "/admin/", "//healthz", "/Healthz"]
)
async def test_nothing_else_is_answered_in_front(path: str) -> None:
    assert (await ask(HealthMiddleware(inside), path)).status == PASSED_INSIDE


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_one_only_looks(method: str) -> None:
    told = await ask(HealthMiddleware(inside), "/readyz", method)
    assert told.status == 405 and told.headers[b"allow"] == b"GET, HEAD"


async def test_a_head_has_no_body(worker: Worker) -> None:
    told = await ask(HealthMiddleware(inside), "/readyz", "HEAD")
    assert told.status == 200 and told.text == ""


async def test_open_sockets_are_counted() -> None:
    async def open_socket(scope: object, receive: object, send: object) -> None:
        assert probes.open_sockets == 1
        raise ConnectionError

    probes = HealthMiddleware(open_socket)
    with pytest.raises(ConnectionError):
        await probes({"type": "websocket"}, nothing, nothing)
    assert probes.open_sockets == 0


async def nothing(*arguments: object) -> None:
    """Neither said nor heard."""


def fails() -> None:
    raise ConnectionError("postgres://user:password@db.internal/name is away")
