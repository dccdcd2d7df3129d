"""The limit of wrong tokens per network."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from organizations import token_throttle
from organizations.tests.support.users import token_of
from organizations.token_throttle import Throttled

URL = "/api/v1/organizations"
WRONG = ["Bearer wao_wrong", "Bearer", "Bearer a b", "Bearer ÿ", "Bearer wao_" + "0" * 5000]


@pytest.fixture(autouse=True)
def tight(settings: Settings) -> None:
    settings.WRONG_TOKENS_PER_ADDRESS = 3
    settings.WRONG_TOKEN_WINDOW_SECONDS = 600


def status(shown: str, address: str = "192.0.2.1") -> int:
    return Client(REMOTE_ADDR=address, headers={"Authorization": shown}).get(URL).status_code


def test_wrong_tokens_above_the_limit_get_429_and_a_right_one_does_not(alice: User) -> None:
    text = token_of(alice)
    assert [status(shown) for shown in WRONG] == [401, 401, 401, 429, 429]
    assert status(f"Bearer {text}") == 200
    assert status("Bearer wao_wrong") == 429
    assert status("Bearer wao_wrong", "192.0.2.2") == 401


def test_429_has_a_message_and_retry_after(db: None) -> None:
    for _ in range(3):
        status("Bearer wao_wrong")
    response = Client(REMOTE_ADDR="192.0.2.1", headers={"Authorization": "Bearer wao_wrong"}).get(
        URL
    )
    wait = int(response["Retry-After"])
    assert 590 <= wait <= 600
    assert response.json() == {
        "success": False,
        "code": "too_many_requests",
        "message": f"Too many wrong tokens from this address. Try again in {wait} seconds.",
    }


def test_request_without_a_token_is_not_counted(db: None) -> None:
    for _ in range(10):
        assert Client(REMOTE_ADDR="192.0.2.1").get(URL).status_code == 401
        assert status("Basic abc") == 401


def test_further_wrong_tokens_do_not_extend_the_window(db: None, settings: Settings) -> None:
    settings.WRONG_TOKEN_WINDOW_SECONDS = 2
    deadline = time.monotonic() + 20
    for expected in (429, 401):
        while status("Bearer wao_wrong") != expected:
            assert time.monotonic() < deadline, f"never {expected}"


def test_wrong_tokens_are_counted_by_network() -> None:
    for number in range(3):
        token_throttle.record_wrong_token(f"2001:db8:0:1::{number}")
    with pytest.raises(Throttled):
        token_throttle.record_wrong_token("2001:db8:0:1:ffff::9")
    token_throttle.record_wrong_token("2001:db8:0:2::1")


def test_mapped_ipv4_address_counts_as_the_ipv4_address() -> None:
    for address in ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"):
        token_throttle.record_wrong_token(address)
    token_throttle.record_wrong_token("::ffff:192.0.2.2")
    with pytest.raises(Throttled):
        token_throttle.record_wrong_token("192.0.2.1")


@pytest.mark.parametrize("address", [None, "", "nonsense"])
def test_unknown_addresses_are_counted(address: str | None) -> None:
    for _ in range(3):
        token_throttle.record_wrong_token(address)
    with pytest.raises(Throttled):
        token_throttle.record_wrong_token(address)


def test_key_that_expires_between_calls_starts_a_new_count(monkeypatch: pytest.MonkeyPatch) -> None:
    token_throttle.record_wrong_token("192.0.2.1")

    def gone(key: str) -> int:
        raise ValueError

    monkeypatch.setattr(cache, "incr", gone, raising=False)
    token_throttle.record_wrong_token("192.0.2.1")


def test_limit_is_logged_once_without_the_token(db: None, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(9):
        status("Bearer wao_secretguess")
    lines = [record for record in caplog.records if record.name == "organizations.token_throttle"]
    assert [record.getMessage() for record in lines] == ["too many wrong tokens"]
    assert "secretguess" not in caplog.text
