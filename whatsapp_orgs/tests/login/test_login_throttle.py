"""Failed logins are limited per network, and delayed per name over all networks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from monitoring import gauges
from organizations.login import known_browsers, throttle
from organizations.models.login_counts import LoginCount
from organizations.tests.support.users import member
from whatsapp_orgs import backends

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

PASSWORD = "correct horse battery staple"
WRONG = "Tr0ub4dor&3 is wrong"


@pytest.fixture(autouse=True)
def few_attempts(settings: Settings) -> None:
    settings.LOGIN_ATTEMPTS_PER_NETWORK = 6
    settings.LOGIN_ATTEMPTS_PER_NAME = 3


class Clock:
    """A clock for the throttle that only `move` advances."""

    def __init__(self) -> None:
        self.time = timezone.now()

    def now(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "timezone", clock)
    return clock


@pytest.fixture
def alice(alice: User) -> User:
    alice.set_password(PASSWORD)
    alice.save(update_fields=["password"])
    return alice


def log_in(
    password: str, name: str = "alice", address: str = "192.0.2.1", client: Client | None = None
) -> Response:
    data = {"username": name, "password": password}
    return (client or Client()).post(reverse("admin:login"), data, REMOTE_ADDR=address)


def guess_from_everywhere(times: int, name: str = "alice") -> list[int]:
    """Wrong passwords, each from another network. Return the statuses."""
    return [
        log_in(WRONG, name, f"2001:db8:{number:x}::{number}").status_code for number in range(times)
    ]


# --- One network --------------------------------------------------------------------------------


def test_network_that_tries_many_names_is_limited(alice: User) -> None:
    statuses = [log_in(WRONG, f"user{number}").status_code for number in range(8)]
    assert statuses == [200] * 6 + [429] * 2
    response = log_in(PASSWORD)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 900
    assert "from your network" in response.content.decode()
    assert log_in(PASSWORD, address="192.0.2.2").status_code == 302


def test_window_of_a_network_ends_despite_further_attempts(alice: User, clock: Clock) -> None:
    for number in range(9):
        log_in(WRONG, f"user{number}")
    clock.move(600)
    assert 290 <= int(log_in(WRONG, "another")["Retry-After"]) <= 300
    clock.move(301)
    assert log_in(PASSWORD).status_code == 302


def test_successful_logins_do_not_count_for_the_network(alice: User) -> None:
    for _ in range(10):
        assert log_in(PASSWORD).status_code == 302


def test_successful_login_does_not_reset_the_network(alice: User) -> None:
    for number in range(6):
        assert log_in(PASSWORD).status_code == 302
        assert log_in(WRONG, f"user{number}").status_code == 200
    assert log_in(PASSWORD).status_code == 429


@pytest.mark.django_db(transaction=True)
def test_parallel_attempts_do_not_exceed_the_limit(settings: Settings) -> None:
    settings.LOGIN_ATTEMPTS_PER_NETWORK = 5

    def attempt(number: int) -> bool:
        request = RequestFactory().post("/", REMOTE_ADDR="192.0.2.1")
        try:
            throttle.count_attempt(request, f"user{number}")
        except throttle.TooManyLogins:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(16))) == 5


# --- One name -----------------------------------------------------------------------------------


def test_name_guessed_from_many_networks_has_a_growing_delay(alice: User, clock: Clock) -> None:
    assert guess_from_everywhere(5) == [200, 200, 200, 429, 429]
    for delay in (1, 2, 4, 8):
        response = log_in(PASSWORD, address="198.51.100.7")
        assert (response.status_code, int(response["Retry-After"])) == (429, delay)
        clock.move(delay)
        assert log_in(WRONG, address=f"198.51.100.{delay}").status_code == 200


def test_delay_has_an_upper_bound_and_the_right_password_resets_it(
    alice: User, clock: Clock, settings: Settings
) -> None:
    settings.LOGIN_MAX_DELAY_SECONDS = 30
    log_in(WRONG)
    LoginCount.objects.filter(kind="name").update(failures=1_000_000)
    assert int(log_in(PASSWORD, address="192.0.2.2")["Retry-After"]) == 30
    clock.move(30)
    assert log_in(PASSWORD, address="192.0.2.2").status_code == 302
    assert guess_from_everywhere(3) == [200, 200, 200]


def test_refused_attempts_do_not_extend_the_delay(alice: User) -> None:
    guess_from_everywhere(30)
    assert int(log_in(WRONG, address="198.51.100.1")["Retry-After"]) == 1


def test_unknown_names_are_delayed_like_known_ones(alice: User) -> None:
    assert guess_from_everywhere(5, "nobody") == guess_from_everywhere(5)


@pytest.mark.parametrize("name", ["a" * 10_000, "a\0b", "", "‮ecila", "🔑"])
def test_invalid_names_are_counted_or_rejected(db: None, name: str) -> None:
    assert set(guess_from_everywhere(5, name)) <= {200, 429}


def test_known_browser_is_not_delayed_by_strangers(alice: User) -> None:
    own = Client()
    assert log_in(PASSWORD, client=own).status_code == 302
    own.cookies.pop("sessionid")
    guess_from_everywhere(10)
    assert log_in(PASSWORD, address="198.51.100.1").status_code == 429
    assert log_in(PASSWORD, address="198.51.100.2", client=own).status_code == 302


def test_known_browser_has_a_limit_of_its_own(alice: User) -> None:
    own = Client()
    log_in(PASSWORD, client=own)
    own.cookies.pop("sessionid")
    statuses = [
        log_in(WRONG, address=f"198.51.100.{number}", client=own).status_code for number in range(5)
    ]
    assert statuses == [200, 200, 200, 429, 429]


def test_cookie_of_another_name_or_without_signature_is_ignored(alice: User) -> None:
    own = Client()
    log_in(PASSWORD, client=own)
    own.cookies.pop("sessionid")
    guess_from_everywhere(5, "bob")
    assert log_in(WRONG, "bob", "198.51.100.1", own).status_code == 429
    own.cookies[known_browsers.COOKIE] = "x" + own.cookies[known_browsers.COOKIE].value
    guess_from_everywhere(5)
    assert log_in(PASSWORD, address="198.51.100.2", client=own).status_code == 429


# --- Resets, metrics and logs ------------------------------------------------------------------


def test_axes_reset_commands_reset_by_name_by_address_and_all(alice: User) -> None:
    guess_from_everywhere(5)
    call_command("axes_reset_username", "alice", verbosity=0)
    assert log_in(PASSWORD, address="198.51.100.1").status_code == 302
    for number in range(7):
        log_in(WRONG, f"user{number}", "2001:db8:7:7::1")
    call_command("axes_reset_ip", "2001:db8:7:7::2", verbosity=0)
    assert log_in(PASSWORD, address="2001:db8:7:7::1").status_code == 302
    guess_from_everywhere(9)
    call_command("axes_reset", verbosity=0)
    assert log_in(PASSWORD, address="198.51.100.1").status_code == 302


def test_metrics_count_failures_and_limited_names_and_networks(alice: User) -> None:
    guess_from_everywhere(5)
    for number in range(8):
        log_in(WRONG, f"user{number}")
    assert gauges.read().logins == {"all": 9, "name": 1, "account": 1, "browser": 0, "network": 1}
    call_command("axes_reset", verbosity=0)
    assert gauges.read().logins == {"all": 9, "name": 0, "account": 0, "browser": 0, "network": 0}


def test_typed_names_are_not_stored_and_a_limit_is_logged_once(
    alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    guess_from_everywhere(9, "a password in the wrong field")
    lines = [record for record in caplog.records if record.name == throttle.__name__]
    assert [line.getMessage() for line in lines] == ["too many failed logins"]
    assert "wrong field" not in caplog.text
    assert "wrong field" not in str(list(LoginCount.objects.values()))


def test_old_counts_are_deleted_and_the_total_stays(alice: User, clock: Clock) -> None:
    guess_from_everywhere(3, "nobody")
    clock.move(25 * 3600)
    assert log_in(PASSWORD).status_code == 302
    assert sorted(LoginCount.objects.values_list("kind", flat=True)) == ["all", "network"]
    assert LoginCount.objects.get(kind="all").failures == 3


def test_guessing_one_name_does_not_delay_another(alice: User) -> None:
    bob = member("bob", alice.memberships.get().organization, "viewer")  # type: ignore[arg-type]
    bob.set_password(PASSWORD)
    bob.save()
    guess_from_everywhere(9)
    assert log_in(PASSWORD, "bob", "198.51.100.1").status_code == 302


def test_limits_hold_while_the_shared_cache_is_unavailable(alice: User, settings: Settings) -> None:
    settings.CACHES = {"default": backends.cache("redis://127.0.0.1:1/0", "nobody")}
    statuses = [log_in(WRONG, f"user{number}").status_code for number in range(8)]
    assert statuses == [200] * 6 + [429] * 2
    assert log_in(PASSWORD, address="192.0.2.2").status_code == 302
