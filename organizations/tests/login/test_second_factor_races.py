"""Concurrent uses of a code, and concurrent set-ups."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import django_otp
import pytest
from django.contrib.auth.models import User
from django.db import connections
from django_otp.oath import TOTP

from organizations.access import COMMAND_LINE
from organizations.models.second_factor import AuthenticatorApp, device_for
from organizations.second_factor import actions

SECRET = b"12345678901234567890"
TRIES = 6


def app_code() -> str:
    totp = TOTP(SECRET)
    totp.time = time.time()
    return f"{totp.token():06}"


def show_at_once(user: User, code: str) -> int:
    """Submit a code in several logins at the same time. Return how many succeeded."""
    start = Barrier(TRIES)

    def show(_: int) -> bool:
        device = device_for(user, code)
        assert device is not None
        start.wait(10)
        try:
            return django_otp.verify_token(user, device.persistent_id, code) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(TRIES) as threads:
        return sum(threads.map(show, range(TRIES)))


@pytest.mark.django_db(transaction=True)
def test_concurrent_uses_of_a_code_log_in_once() -> None:
    user = User.objects.create(username="alice", is_staff=True)
    codes = actions.set_up(user, SECRET, app_code(), COMMAND_LINE)
    AuthenticatorApp.objects.update(last_t=-1)
    assert show_at_once(user, app_code()) == 1
    assert show_at_once(user, codes[0]) == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_set_ups_leave_one_device() -> None:
    user = User.objects.create(username="alice", is_staff=True)
    start = Barrier(2)

    def set_up(secret: bytes) -> bool:
        totp = TOTP(secret)
        totp.time = time.time()
        start.wait(10)
        try:
            actions.set_up(user, secret, f"{totp.token():06}", COMMAND_LINE)
        except actions.AlreadySetUp:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(set_up, [b"a" * 20, b"b" * 20])) == 1
    assert AuthenticatorApp.objects.count() == 1
