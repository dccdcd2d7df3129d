"""Wrong passwords for one name from one network lock it out for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

PASSWORD = "correct horse battery staple"
WRONG = "Tr0ub4dor&3 is wrong"


@pytest.fixture
def alice(alice: User) -> User:
    alice.set_password(PASSWORD)
    alice.save(update_fields=["password"])
    return alice


def log_in(password: str, name: str = "alice", address: str = "192.0.2.1") -> Response:
    data = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post(reverse("admin:login"), data)


def test_right_password_is_refused_after_five_wrong_ones(alice: User) -> None:
    for _ in range(4):
        assert log_in(WRONG).status_code == 200
    response = log_in(WRONG)
    assert response.status_code == 429
    response = log_in(PASSWORD)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 900
    page = response.content.decode()
    assert "Try again in 15 minutes." in page and 'id="site-name"' in page
    assert "_auth_user_id" not in response.wsgi_request.session


def test_other_networks_and_names_are_not_locked_out(alice: User, bob: User) -> None:
    bob.set_password(PASSWORD)
    bob.save(update_fields=["password"])
    for _ in range(6):
        log_in(WRONG)
    assert log_in(PASSWORD, address="192.0.2.2").status_code == 302
    assert log_in(PASSWORD, name="bob").status_code == 302
    assert log_in(PASSWORD).status_code == 429


def test_lockout_expires_and_further_attempts_do_not_extend_it(alice: User) -> None:
    for _ in range(8):
        log_in(WRONG)
    started = timezone.now() - timedelta(seconds=600)
    AccessAttempt.objects.update(attempt_time=started)
    assert 290 <= int(log_in(WRONG)["Retry-After"]) <= 300
    AccessAttempt.objects.update(attempt_time=started - timedelta(seconds=301))
    assert log_in(PASSWORD).status_code == 302


def test_axes_reset_ends_a_lockout(alice: User) -> None:
    for _ in range(6):
        log_in(WRONG)
    call_command("axes_reset", verbosity=0)
    assert log_in(PASSWORD).status_code == 302


def test_right_password_resets_the_count(alice: User) -> None:
    for _ in range(3):
        for _ in range(4):
            assert log_in(WRONG).status_code == 200
        assert log_in(PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("fe80::1%eth0", "fe80::2"),
        ("nonsense", ""),
    ],
)
def test_addresses_of_one_network_are_counted_together(
    alice: User, first: str, second: str
) -> None:
    for number in range(5):
        response = log_in(WRONG, address=second if number % 2 else first)
    assert response.status_code == 429
    for address in (first, second):
        assert log_in(PASSWORD, address=address).status_code == 429
    assert log_in(PASSWORD, address="2001:db8:0:2::1").status_code == 302


@pytest.mark.parametrize("name", ["nobody", "a" * 10_000, "a\0b", "", "‮ecila", "🔑"])
def test_unknown_and_invalid_names_are_locked_out_alike(db: None, name: str) -> None:
    for _ in range(7):
        assert log_in(WRONG, name=name).status_code in (200, 429)


def test_setting_limits_the_attempts(alice: User, settings: Settings) -> None:
    settings.AXES_FAILURE_LIMIT = 1
    assert log_in(WRONG).status_code == 429


def test_typed_names_and_passwords_are_not_logged_or_stored(
    alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for _ in range(6):
        log_in(WRONG, name="a password in the wrong field")
        log_in(WRONG)
    assert WRONG not in caplog.text and "wrong field" not in caplog.text
    assert "address=192.0.2.1" in caplog.text
    assert WRONG not in str(list(AccessAttempt.objects.values()))
