"""Password hashing is limited; a request without a slot gets 503 and is no failed login."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import (
    PBKDF2PasswordHasher,
    check_password,
    identify_hasher,
    make_password,
)
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest import MonkeyPatch
from pytest_django import Settings

from organizations.models import LoginCount
from whatsapp_orgs import settings as product
from whatsapp_orgs.login import password_hashing
from whatsapp_orgs.login.hashing_middleware import HashingMiddleware
from whatsapp_orgs.login.password_hashing import MAX_QUEUED, HashingBusy, HashingSlots

PASSWORD = "correct horse battery staple"
SECONDS = 30.0


@pytest.fixture(autouse=True)
def slots(monkeypatch: MonkeyPatch, settings: Settings) -> HashingSlots:
    """Use the product's hasher with one slot, and cheap hashes."""
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)
    hashing_slots = HashingSlots(1)
    monkeypatch.setattr(password_hashing, "slots", hashing_slots)
    return hashing_slots


@pytest.fixture
def occupied_slot(slots: HashingSlots, monkeypatch: MonkeyPatch) -> Iterator[None]:
    """Occupy the slot during a test."""
    monkeypatch.setattr(password_hashing, "QUEUE_SECONDS", 0.05)
    with slots.acquire(wait_forever=False):
        yield


def test_existing_hash_is_still_valid() -> None:
    assert check_password(PASSWORD, PBKDF2PasswordHasher().encode(PASSWORD, "salt" * 6))
    assert identify_hasher(make_password(PASSWORD)).algorithm == "pbkdf2_sha256"


def test_parallel_hashes_are_limited_to_the_slots(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(password_hashing, "slots", HashingSlots(2))
    lock, running, peak = threading.Lock(), 0, 0

    def hash_slowly(*_: object, **__: object) -> str:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return "pbkdf2_sha256$1$salt$hash"

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", hash_slowly)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(make_password, ["x"] * 24))
    assert peak == 2


def test_command_waits_for_a_slot(slots: HashingSlots) -> None:
    with ThreadPoolExecutor(1) as pool:
        with slots.acquire(wait_forever=False):
            hashing = pool.submit(make_password, PASSWORD)
            with pytest.raises(TimeoutError):
                hashing.result(0.2)
        assert check_password(PASSWORD, hashing.result(SECONDS))


def test_queue_for_a_slot_is_bounded(slots: HashingSlots, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(password_hashing, "QUEUE_SECONDS", SECONDS)
    started = threading.Semaphore(0)

    def wait() -> None:
        started.release()
        with slots.acquire(wait_forever=False):
            pass

    with ThreadPoolExecutor(MAX_QUEUED) as pool, ExitStack() as holding:
        holding.enter_context(slots.acquire(wait_forever=False))
        waiting = [pool.submit(wait) for _ in range(MAX_QUEUED)]
        for _ in waiting:
            assert started.acquire(timeout=SECONDS)
        deadline = time.monotonic() + SECONDS
        while slots._queue._value and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(HashingBusy), slots.acquire(wait_forever=False):
            pass
        holding.close()
        for one in waiting:
            one.result(SECONDS)


@pytest.mark.usefixtures("occupied_slot")
def test_login_without_a_slot_gets_503_and_is_no_failed_login(alice: User) -> None:
    for name in ("alice", "nobody"):
        response = Client().post(reverse("admin:login"), {"username": name, "password": "wrong"})
        assert response.status_code == 503
        assert int(response["Retry-After"]) > 0
        assert "Try again in a few seconds" in response.content.decode()
    assert not AccessAttempt.objects.exists()
    assert not LoginCount.objects.filter(failures__gt=0).exists()


def test_login_with_a_slot_succeeds(alice: User) -> None:
    alice.set_password(PASSWORD)
    alice.is_staff = True
    alice.save()
    credentials = {"username": "alice", "password": PASSWORD}
    assert Client().post(reverse("admin:login"), credentials).status_code == 302
    wrong = Client().post(reverse("admin:login"), {**credentials, "password": "wrong"})
    assert wrong.status_code == 200
    assert AccessAttempt.objects.count() == 1


@pytest.mark.parametrize("path", ["/api/v1/x", "/x"])
def test_503_is_json_for_the_api_and_html_for_pages(path: str) -> None:
    request = RequestFactory().get(path)
    middleware = HashingMiddleware(lambda _: pytest.fail("no view"))
    response = middleware.process_exception(request, HashingBusy())
    assert response is not None and response.status_code == 503
    is_json = response["Content-Type"] == "application/json"
    assert is_json is path.startswith("/api/")
    assert middleware.process_exception(request, ValueError()) is None
