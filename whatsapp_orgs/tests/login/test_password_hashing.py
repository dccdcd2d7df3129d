"""Passwords are hashed a few at a time; a request that finds no place gets 503, and counts not."""

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

from organizations.models import LoginCount
from whatsapp_orgs.login import password_hashing
from whatsapp_orgs.login.hashing_middleware import HashingMiddleware
from whatsapp_orgs.login.password_hashing import MAX_WAITING, HashingBusy, Places

PASSWORD = "correct horse battery staple"
SECONDS = 30.0


@pytest.fixture(autouse=True)
def places(monkeypatch: MonkeyPatch) -> Places:
    """One place, and hashes that cost little."""
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)
    found = Places(1)
    monkeypatch.setattr(password_hashing, "places", found)
    return found


@pytest.fixture
def no_place(places: Places, monkeypatch: MonkeyPatch) -> Iterator[None]:
    """The place is taken for the whole of a test."""
    monkeypatch.setattr(password_hashing, "WAIT_SECONDS", 0.05)
    with places.taken(patient=False):
        yield


def test_hash_of_before_is_still_valid() -> None:
    assert check_password(PASSWORD, PBKDF2PasswordHasher().encode(PASSWORD, "salt" * 6))
    assert identify_hasher(make_password(PASSWORD)).algorithm == "pbkdf2_sha256"


def test_hashes_run_no_more_at_a_time_than_there_are_places(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(password_hashing, "places", Places(2))
    lock, running, most = threading.Lock(), 0, 0

    def hash_slowly(*_: object, **__: object) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return "pbkdf2_sha256$1$salt$hash"

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", hash_slowly)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(make_password, ["x"] * 24))
    assert most == 2


def test_command_waits_for_a_place(places: Places) -> None:
    with ThreadPoolExecutor(1) as pool:
        with places.taken(patient=False):
            hashing = pool.submit(make_password, PASSWORD)
            with pytest.raises(TimeoutError):
                hashing.result(0.2)
        assert check_password(PASSWORD, hashing.result(SECONDS))


def test_queue_for_a_place_is_bounded(places: Places, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(password_hashing, "WAIT_SECONDS", SECONDS)
    begun = threading.Semaphore(0)

    def wait() -> None:
        begun.release()
        with places.taken(patient=False):
            pass

    with ThreadPoolExecutor(MAX_WAITING) as pool, ExitStack() as holding:
        holding.enter_context(places.taken(patient=False))
        waiting = [pool.submit(wait) for _ in range(MAX_WAITING)]
        for _ in waiting:
            assert begun.acquire(timeout=SECONDS)
        deadline = time.monotonic() + SECONDS
        while places._queue._value and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(HashingBusy), places.taken(patient=False):
            pass
        holding.close()
        for one in waiting:
            one.result(SECONDS)


@pytest.mark.usefixtures("no_place")
def test_login_without_a_place_gets_503_and_is_no_wrong_password(alice: User) -> None:
    for name in ("alice", "nobody"):
        answer = Client().post(reverse("admin:login"), {"username": name, "password": "wrong"})
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) > 0
        assert "Try again in a few seconds" in answer.content.decode()
    assert not AccessAttempt.objects.exists()
    assert not LoginCount.objects.filter(failures__gt=0).exists()


def test_login_with_a_place_works(alice: User) -> None:
    alice.set_password(PASSWORD)
    alice.is_staff = True
    alice.save()
    credentials = {"username": "alice", "password": PASSWORD}
    assert Client().post(reverse("admin:login"), credentials).status_code == 302
    wrong = Client().post(reverse("admin:login"), {**credentials, "password": "wrong"})
    assert wrong.status_code == 200
    assert AccessAttempt.objects.count() == 1


@pytest.mark.parametrize("path", ["/api/v1/x", "/x"])
def test_refusal_has_the_shape_of_its_caller(path: str) -> None:
    request = RequestFactory().get(path)
    middleware = HashingMiddleware(lambda _: pytest.fail("no view"))
    answer = middleware.process_exception(request, HashingBusy())
    assert answer is not None and answer.status_code == 503
    is_json = answer["Content-Type"] == "application/json"
    assert is_json is path.startswith("/api/")
    assert middleware.process_exception(request, ValueError()) is None
