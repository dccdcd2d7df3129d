"""Logging in by mail address: which account it means, and that it tells nothing of accounts."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import Settings

from organizations.login import known_browsers, throttle
from organizations.login.accounts import find_account
from organizations.models.login_counts import LoginCount
from organizations.tests.support.users import member

PASSWORD, WRONG = "correct horse battery staple", "Tr0ub4dor&3 is wrong"
MAIL = "Alice@Example.com"
LOGIN = reverse("admin:login")


@pytest.fixture(autouse=True)
def cheap_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(alice: User) -> User:
    return with_mail(alice, MAIL)


def with_mail(user: User, email: str) -> User:
    user.email = email
    user.set_password(PASSWORD)
    user.save()
    return user


def log_in(
    name: str, password: str = PASSWORD, address: str = "192.0.2.1", client: Client | None = None
) -> Any:
    form = {"username": name, "password": password}
    return (client or Client()).post(LOGIN, form, REMOTE_ADDR=address)


def user_of(answer: Any) -> str | None:
    found: str | None = answer.wsgi_request.session.get("_auth_user_id")
    return found


def guess(names: list[str], client: Client | None = None) -> list[int]:
    """Wrong passwords, each from another network. Return the statuses."""
    return [
        log_in(name, WRONG, f"2001:db8:{number:x}::1", client).status_code
        for number, name in enumerate(names)
    ]


# --- The account ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alice", MAIL, "alice@example.com", " ALICE@EXAMPLE.COM "])
def test_username_and_address_in_any_case_log_in(alice: User, name: str) -> None:
    answer = log_in(name)
    assert (answer.status_code, user_of(answer)) == (302, str(alice.pk))
    client = Client()
    client.cookies = answer.client.cookies
    assert client.get("/admin/connections/").status_code == 200


@pytest.mark.parametrize("name", ["Alice", "alice@example", "%@example.com", "@", "", "a\0@b.com"])
def test_other_names_do_not_log_in(alice: User, name: str) -> None:
    assert log_in(name).status_code == 200


def test_address_of_two_accounts_logs_nobody_in(alice: User, bob: User) -> None:
    with_mail(bob, "alice@example.COM")
    assert find_account(MAIL) is None
    assert log_in(MAIL).status_code == 200
    assert [log_in(name).status_code for name in ("alice", "bob")] == [302, 302]
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert user_of(log_in(MAIL)) == str(alice.pk)


def test_address_that_is_another_username_is_that_user(alice: User, bob: User) -> None:
    with_mail(bob, "")
    User.objects.filter(pk=bob.pk).update(username=MAIL)
    assert user_of(log_in(MAIL)) == str(bob.pk)
    assert log_in(MAIL.lower()).status_code == 200, "it is of two accounts"


def test_inactive_account_and_unusable_password_are_refused(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert log_in(MAIL).status_code == 200
    alice.is_active = True
    alice.set_unusable_password()
    alice.save()
    assert log_in(MAIL).status_code == 200


def test_form_says_what_it_takes_in_each_language(db: None) -> None:
    for language, text in (
        ("en", "Username or mail address"),
        ("pt-br", "Nome de usuário ou e-mail"),
        ("es", "Nombre de usuario o correo"),
    ):
        with translation.override(language):
            page = Client(headers={"Accept-Language": language}).get(LOGIN).text
        assert f">{text}:</label>" in page


# --- What it tells -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alice", MAIL, "nobody", "nobody@example.com"])
def test_wrong_password_hashes_once_and_looks_the_same(
    alice: User, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    def encode(*args: Any) -> str:
        hashed.append(name)
        return "md5$x$y"

    monkeypatch.setattr("django.contrib.auth.hashers.MD5PasswordHasher.encode", encode)
    page = log_in(name, WRONG)
    assert len(hashed) == 1
    assert page.status_code == 200 and page.text.count("There is no staff account") == 1


def test_limit_of_one_name_does_not_show_on_another(alice: User, settings: Settings) -> None:
    """Else whoever locks a name out learns that an address is of the same account."""
    settings.LOGIN_ATTEMPTS_PER_NAME = 3
    for unlike in ("alice", "nobody"):
        LoginCount.objects.all().delete()
        AccessAttempt.objects.all().delete()
        assert guess(["alice@example.com"] * 5) == [200] * 3 + [429] * 2
        assert log_in(unlike, WRONG, "198.51.100.1").status_code == 200
        assert guess([unlike] * 5)[-1] == 429


# --- Limits --------------------------------------------------------------------------------------


def test_wrong_passwords_from_one_network_count_in_any_case(alice: User) -> None:
    for name in ("alice@example.com", "ALICE@example.com") * 2:
        assert log_in(name, WRONG).status_code == 200
    assert log_in("Alice@example.COM", WRONG).status_code == 429
    assert log_in(MAIL).status_code == 429


def test_all_names_of_an_account_count_together(alice: User, settings: Settings) -> None:
    settings.LOGIN_ATTEMPTS_PER_NAME = 4
    assert guess(["alice", MAIL, "alice", MAIL.lower()]) == [200] * 4
    # Neither name is over its limit, but their account is: the right password opens nothing.
    for name in ("alice", MAIL):
        answer = log_in(name, PASSWORD, "198.51.100.1")
        assert (answer.status_code, user_of(answer)) == (200, None)
    totals = throttle.totals()
    assert [totals[kind] for kind in ("name", "account", "browser")] == [0, 1, 0]
    LoginCount.objects.filter(kind="account").update(last_at="2020-01-01T00:00Z")
    assert throttle.totals()["account"] == 0
    assert log_in(MAIL, PASSWORD, "198.51.100.2").status_code == 302


def test_login_by_one_name_resets_all(alice: User, settings: Settings) -> None:
    settings.LOGIN_ATTEMPTS_PER_NAME = 4
    for _ in range(3):
        assert [log_in(name, WRONG).status_code for name in ("alice", MAIL, MAIL)] == [200] * 3
        assert log_in(MAIL).status_code == 302
    assert set(LoginCount.objects.values_list("kind", flat=True)) == {"all", "network"}
    assert not AccessAttempt.objects.exists()


def test_login_resets_nothing_of_an_address_that_is_not_its_own(alice: User, bob: User) -> None:
    with_mail(bob, MAIL)
    log_in(MAIL, WRONG)
    assert log_in("bob").status_code == 302
    assert LoginCount.objects.filter(kind="name", failures=1).exists()


def test_unknown_name_counts_as_a_name_only(alice: User, settings: Settings) -> None:
    settings.LOGIN_ATTEMPTS_PER_NAME = 2
    guess(["nobody"] * 2)
    totals = throttle.totals()
    assert (totals["name"], totals["account"], totals["all"]) == (1, 0, 2)


def test_known_browser_is_known_by_the_address_too(alice: User, settings: Settings) -> None:
    settings.LOGIN_ATTEMPTS_PER_NAME = 3
    own = Client()
    assert log_in(MAIL, client=own).status_code == 302
    assert known_browsers.COOKIE in own.cookies
    own.cookies.pop("sessionid")
    guess([MAIL, "alice"] * 5)
    assert log_in(MAIL, PASSWORD, "198.51.100.1").status_code == 429
    assert log_in(MAIL.lower(), PASSWORD, "198.51.100.2", own).status_code == 302


def test_axes_reset_username_resets_all_names(alice: User, settings: Settings) -> None:
    settings.LOGIN_ATTEMPTS_PER_NAME = 2
    for _ in range(5):
        log_in(MAIL, WRONG)
    guess(["alice"] * 3)
    call_command("axes_reset_username", "ALICE@example.com", verbosity=0)
    assert [log_in(name).status_code for name in ("alice", MAIL)] == [302, 302]


def test_second_step_follows_a_login_by_address(alice: User, monkeypatch: Any) -> None:
    monkeypatch.setattr("organizations.admin_site.app_of", lambda user: object())
    answer = log_in(MAIL)
    assert answer["Location"] == reverse("admin:second_factor_code")
    assert user_of(answer) is None
    assert not LoginCount.objects.filter(failures__gt=0).exists()


def test_other_accounts_are_not_delayed(alice: User, organization: Any, settings: Settings) -> None:
    settings.LOGIN_ATTEMPTS_PER_NAME = 2
    with_mail(member("erin", organization, "viewer"), "erin@example.com")  # type: ignore[arg-type]
    guess([MAIL, "alice"] * 4)
    assert log_in("Erin@example.com", address="198.51.100.1").status_code == 302
    totals = throttle.totals()
    assert (totals["name"], totals["account"]) == (2, 1)
    erin = User.objects.get(username="erin")
    for name in (str(erin.pk), f"account {erin.pk}"):
        guess([name] * 4)
    assert log_in("erin", address="198.51.100.2").status_code == 302
