"""The second step of a login. A session without it has no access."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from pytest_django import Settings

from organizations.access import COMMAND_LINE
from organizations.models import AuditEntry
from organizations.models.second_factor import MAX_THROTTLED, AuthenticatorApp, RecoveryCodes
from organizations.second_factor import actions, sessions
from organizations.sockets.authentication import SocketIdentity
from organizations.tests.support.users import api_client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

PASSWORD = "correct horse battery staple"
SECRET = b"12345678901234567890"
LOGIN, CODE = "/admin/login/", "/admin/login/code/"
PAGES = ["/admin/", "/admin/connections/", "/admin/organizations/organization/", "/admin/jsi18n/"]


@pytest.fixture
def alice(alice: User) -> User:
    alice.set_password(PASSWORD)
    alice.save(update_fields=["password"])
    return alice


@pytest.fixture
def codes(alice: User) -> list[str]:
    """Set up Alice's second factor and return her recovery codes."""
    codes = actions.set_up(alice, SECRET, app_code(), COMMAND_LINE)
    forget_used_codes()
    return codes


def app_code(steps: int = 0) -> str:
    """Return the code of the app, `steps` times 30 s from now."""
    totp = TOTP(SECRET, drift=steps)
    totp.time = time.time()
    return f"{totp.token():06}"


def wrong_code() -> str:
    near = {app_code(steps) for steps in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222") if code not in near)


def forget_used_codes() -> None:
    """Allow codes that were used before."""
    AuthenticatorApp.objects.update(last_t=-1, throttling_failure_count=0)


def step_one(client: Client, **more: str) -> Answer:
    return client.post(LOGIN, {"username": "alice", "password": PASSWORD, **more})


def log_in(client: Client, code: str, **more: str) -> Answer:
    assert step_one(client, **more)["Location"] == CODE
    return client.post(CODE, {"code": code})


def is_inside(client: Client) -> bool:
    statuses = {client.get(page).status_code for page in PAGES}
    assert statuses in ({200}, {302})
    return statuses == {200}


def socket_of(client: Client) -> Any:
    return SocketIdentity("192.0.2.1", session_key=client.session.session_key).caller()


# --- Login --------------------------------------------------------------------------------------


def test_user_without_a_device_logs_in_with_the_password(alice: User) -> None:
    client = Client()
    assert step_one(client)["Location"] == "/admin/"
    assert is_inside(client) and socket_of(client) is not None
    assert client.get(CODE)["Location"] == LOGIN


def test_password_and_code_log_in_and_redirect(alice: User, codes: list[str]) -> None:
    client = Client()
    page = client.get(step_one(client, next="/admin/organizations/organization/")["Location"])
    assert page.status_code == 200 and 'autocomplete="one-time-code"' in page.content.decode()
    before = client.session.session_key
    response = client.post(CODE, {"code": app_code()})
    assert (response.status_code, response["Location"]) == (
        302,
        "/admin/organizations/organization/",
    )
    assert client.session.session_key != before and sessions.PENDING not in client.session
    assert is_inside(client) and socket_of(client) is not None


def test_session_before_the_code_gives_no_access(alice: User, codes: list[str]) -> None:
    client = Client()
    step_one(client)
    assert not is_inside(client)
    assert socket_of(client) is None
    assert client.get(reverse("admin:second_factor")).status_code == 302
    assert client.post(reverse("admin:password_change")).status_code == 302
    assert "_auth_user_id" not in client.session


def test_session_key_changes_at_the_login(alice: User, codes: list[str]) -> None:
    client = Client()
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies["sessionid"] = planted = str(session.session_key)
    log_in(client, app_code())
    assert is_inside(client)
    assert client.session.session_key != planted
    assert not Session.objects.filter(session_key=planted).exists()


def test_wrong_code_does_not_log_in(alice: User, codes: list[str]) -> None:
    client = Client()
    response = log_in(client, wrong_code())
    assert response.status_code == 200
    assert "This code is not right" in response.content.decode()
    assert not is_inside(client)


@pytest.mark.parametrize(
    "typed", ["", "abc", "\0", "1" * 41, "１２３４５６", "+12345", "1_2_3_4", "🔑"]
)
def test_malformed_code_is_refused_without_a_server_error(
    alice: User, codes: list[str], typed: str
) -> None:
    assert log_in(Client(), typed).status_code == 200


def test_code_is_accepted_once(alice: User, codes: list[str]) -> None:
    code = app_code()
    assert log_in(Client(), code).status_code == 302
    second = Client()
    assert log_in(second, code).status_code == 200
    assert not is_inside(second)


def test_code_may_have_spaces(alice: User, codes: list[str]) -> None:
    code = app_code()
    assert log_in(Client(), f" {code[:3]} {code[3:]} ").status_code == 302


def test_recovery_code_works_once_and_is_audited(alice: User, codes: list[str]) -> None:
    client = Client()
    assert log_in(client, codes[0].upper()).status_code == 302
    assert is_inside(client)
    assert actions.codes_left(alice) == 9
    entry = AuditEntry.objects.get(action="recovery_code_used")
    assert (entry.organization, entry.user, entry.address) == (None, alice, "127.0.0.1")
    assert log_in(Client(), codes[0]).status_code == 200
    RecoveryCodes.objects.update(throttling_failure_count=0)
    assert log_in(Client(), codes[1].replace("-", " ")).status_code == 302


def test_code_of_another_user_is_refused(
    alice: User, bob: User, codes: list[str], charlie: User
) -> None:
    others = actions.set_up(bob, SECRET, app_code(), COMMAND_LINE)
    assert log_in(Client(), others[0]).status_code == 200


def test_pending_login_ends_after_five_minutes_and_with_a_new_password(
    alice: User, codes: list[str]
) -> None:
    for end in ("time", "password", "inactive"):
        client = Client()
        step_one(client)
        if end == "time":
            session = client.session
            session[sessions.PENDING] = {**session[sessions.PENDING], "until": time.time() - 1}
            session.save()
        elif end == "password":
            alice.set_password("another one 77")
            alice.save()
        else:
            User.objects.update(is_active=False)
        response = client.post(CODE, {"code": app_code()})
        assert (response.status_code, response["Location"]) == (302, LOGIN)
        alice.set_password(PASSWORD)
        alice.is_active = True
        alice.save()


def test_external_next_url_is_ignored(alice: User, codes: list[str]) -> None:
    response = log_in(Client(), app_code(), next="https://evil.example/")
    assert response["Location"] == "/admin/"


def test_tokens_are_not_affected(alice: User, codes: list[str], settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    assert api_client(alice).get("/api/v1/organizations").status_code == 200


# --- Limits -------------------------------------------------------------------------------------


def test_wrong_codes_count_as_failed_logins(
    alice: User, codes: list[str], settings: Settings
) -> None:
    client = Client()
    step_one(client)
    for number in range(5):
        AuthenticatorApp.objects.update(throttling_failure_count=0)
        response = client.post(CODE, {"code": wrong_code()})
        assert response.status_code == (429 if number == 4 else 200)
    forget_used_codes()
    assert client.post(CODE, {"code": app_code()}).status_code == 429
    assert Client().post(LOGIN, {"username": "alice", "password": PASSWORD}).status_code == 429


def test_wrong_codes_count_for_the_network(
    alice: User, codes: list[str], settings: Settings
) -> None:
    settings.LOGIN_ATTEMPTS_PER_NETWORK = 2
    client = Client()
    step_one(client)
    for status in (200, 200, 429):
        AuthenticatorApp.objects.update(throttling_failure_count=0)
        assert client.post(CODE, {"code": wrong_code()}).status_code == status


def test_wrong_code_delays_the_next_one_up_to_a_maximum(alice: User, codes: list[str]) -> None:
    client = Client()
    step_one(client)
    client.post(CODE, {"code": wrong_code()})
    AuthenticatorApp.objects.update(
        throttling_failure_count=10**6, throttling_failure_timestamp=timezone.now()
    )
    app = AuthenticatorApp.objects.get()
    app.throttle_increment()
    assert app.throttling_failure_count == MAX_THROTTLED
    response = client.post(CODE, {"code": app_code()})
    assert "Too many wrong codes. Try again in 20" in response.content.decode()
    assert client.post(CODE, {"code": codes[0]}).status_code == 302, "they have a throttle each"


def test_login_resets_the_failures(alice: User, codes: list[str]) -> None:
    for _ in range(4):
        client = Client()
        for _ in range(3):
            AuthenticatorApp.objects.update(throttling_failure_count=0)
            assert log_in(client, wrong_code()).status_code == 200
        forget_used_codes()
        assert log_in(client, app_code()).status_code == 302
    assert not AccessAttempt.objects.exists()


# --- Older sessions, and REQUIRE_SECOND_FACTOR --------------------------------------------------


def test_session_from_before_the_set_up_is_ended(alice: User) -> None:
    old = Client()
    step_one(old)
    assert is_inside(old)
    actions.set_up(alice, SECRET, app_code(), COMMAND_LINE)
    assert socket_of(old) is None
    assert not is_inside(old)
    page = old.get("/admin/", follow=True)
    assert 'id="login-form"' in page.content.decode() and "_auth_user_id" not in old.session


def test_session_of_a_replaced_device_is_ended(alice: User, codes: list[str]) -> None:
    client = Client()
    log_in(client, app_code())
    actions.remove(alice, COMMAND_LINE)
    assert is_inside(client)
    actions.set_up(alice, SECRET, app_code(), COMMAND_LINE)
    assert not is_inside(client)


def test_required_second_factor_redirects_staff_to_the_set_up(
    alice: User, settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client = Client()
    step_one(client)
    assert not is_inside(client)
    assert socket_of(client) is None
    response = client.get("/admin/organizations/organization/", follow=True)
    url = reverse("admin:second_factor")
    assert response.redirect_chain[-1][0] == f"{url}?next=/admin/organizations/organization/"
    assert response.status_code == 200
    assert client.get(reverse("admin:password_change")).status_code == 200
    assert client.post(reverse("set_language"), {"language": "es"}).status_code in (204, 302)
    assert client.post(reverse("admin:logout")).status_code == 200
    assert client.get(url).status_code == 302


def test_required_second_factor_allows_users_with_one(
    alice: User, codes: list[str], settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client = Client()
    log_in(client, app_code())
    assert is_inside(client) and socket_of(client) is not None


def test_secret_of_a_fallback_key_works_and_is_encrypted_again(
    alice: User, codes: list[str], settings: Settings
) -> None:
    before = AuthenticatorApp.objects.get().key
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a new one" * 9
    assert log_in(Client(), app_code()).status_code == 302
    assert AuthenticatorApp.objects.get().key != before
    settings.SECRET_KEY_FALLBACKS = []
    forget_used_codes()
    assert log_in(Client(), app_code()).status_code == 302


def test_recovery_codes_work_after_the_key_is_lost(
    alice: User, codes: list[str], settings: Settings
) -> None:
    settings.SECRET_KEY = "a new one" * 9
    assert log_in(Client(), app_code()).status_code == 200
    assert log_in(Client(), codes[0]).status_code == 302
