"""The pages of the second factor: set-up, new recovery codes, removal, and reset by superusers."""

from __future__ import annotations

import base64
import logging
import re
import time
from io import StringIO

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.views.debug import ExceptionReporter
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from organizations.access import COMMAND_LINE
from organizations.models import AuditEntry, LoginCount
from organizations.models.second_factor import AuthenticatorApp, app_of
from organizations.second_factor import actions
from organizations.tests.support.adminpages import browser

PASSWORD = "correct horse battery staple"
OWN, CODES = "/admin/second-factor/", "/admin/second-factor/codes/"
REMOVE = "/admin/second-factor/remove/"


@pytest.fixture
def alice(alice: User) -> User:
    alice.set_password(PASSWORD)
    alice.save(update_fields=["password"])
    return alice


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss", password=PASSWORD)


class Phone:
    """An authenticator app with the secret from the page."""

    def __init__(self, page: str) -> None:
        shown = re.search(r'second-factor-secret">(.*?)</code>', page)
        sealed = re.search(r'name="sealed" value="([^"]+)"', page)
        assert shown and sealed
        self.text = re.sub(r"<[^>]+>", "", shown[1])
        self.secret = base64.b32decode(self.text)
        self.sealed = sealed[1]

    def code(self, steps: int = 0) -> str:
        totp = TOTP(self.secret, drift=steps)
        totp.time = time.time()
        return f"{totp.token():06}"


def set_up(client: Client, url: str = OWN) -> tuple[Phone, list[str]]:
    """Set the second factor up on the page. Return the phone and the recovery codes."""
    phone = Phone(client.get(url).content.decode())
    form = {"sealed": phone.sealed, "code": phone.code(), "password": PASSWORD}
    page = client.post(url, form).content.decode()
    codes = re.findall(r"<li><code>([a-z2-7-]{19})</code></li>", page)
    assert len(set(codes)) == 10, page
    AuthenticatorApp.objects.update(last_t=-1)
    return phone, codes


def audited() -> list[tuple[str, str, str]]:
    entries = AuditEntry.objects.filter(organization=None).order_by("pk")
    return [(entry.action, entry.detail, entry.actor) for entry in entries]


# --- Setting up ---------------------------------------------------------------------------------


def test_set_up_shows_the_qr_code_and_the_recovery_codes_once(alice: User) -> None:
    client = browser(alice)
    before = client.session.session_key
    page = client.get(OWN).content.decode()
    assert 'src="data:image/svg+xml;base64,' in page and AuthenticatorApp.objects.count() == 0
    _, codes = set_up(client)
    assert client.session.session_key != before
    overview = client.get(OWN).content.decode()
    assert "10 recovery codes are left." in overview
    assert not any(code in overview for code in codes)
    assert client.get("/admin/").status_code == 200
    assert audited() == [("second_factor_added", "alice", "alice")]


def test_set_up_links_to_the_next_page_of_this_site_only(alice: User, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    for wanted, link in (("/admin/connections/", 'href="/admin/connections/"'), ("//evil", "")):
        client = browser(alice)
        url = f"{OWN}?next={wanted}"
        phone = Phone(client.get(url).content.decode())
        form = {"sealed": phone.sealed, "code": phone.code(), "password": PASSWORD}
        page = client.post(url, form).content.decode()
        assert link in page and 'href="//evil"' not in page
        actions.remove(alice, COMMAND_LINE)


def test_wrong_code_or_password_at_the_set_up_keeps_the_secret(alice: User) -> None:
    client = browser(alice)
    phone = Phone(client.get(OWN).content.decode())
    wrong = next(code for code in ("000000", "111111") if code != phone.code())
    for code, password in ((wrong, PASSWORD), (phone.code(), "wrong"), ("x", PASSWORD)):
        form = {"sealed": phone.sealed, "code": code, "password": password}
        page = client.post(OWN, form).content.decode()
        assert Phone(page).secret == phone.secret
        assert PASSWORD not in page and 'class="errorlist"' in page
    assert app_of(alice) is None and StaticToken.objects.count() == 0 and audited() == []


def test_foreign_or_forged_secret_is_refused(alice: User, bob: User) -> None:
    others = Phone(browser(bob).get(OWN).content.decode())
    client = browser(alice)
    for sealed in (others.sealed, "", "x", "ÿ" * 9, "A" * 64):
        form = {"sealed": sealed, "code": others.code(), "password": PASSWORD}
        assert client.post(OWN, form).status_code == 200
    assert app_of(alice) is None


def test_second_set_up_in_another_tab_changes_nothing(alice: User) -> None:
    client = browser(alice)
    tab = Phone(client.get(OWN).content.decode())
    set_up(client)
    before = AuthenticatorApp.objects.values().get()
    form = {"sealed": tab.sealed, "code": tab.code(), "password": PASSWORD}
    assert "recovery codes are left" in client.post(OWN, form).content.decode()
    assert AuthenticatorApp.objects.values().get() == before


def test_set_up_counts_wrong_passwords(alice: User) -> None:
    client = browser(alice)
    phone = Phone(client.get(OWN).content.decode())
    for number in range(5):
        form = {"sealed": phone.sealed, "code": phone.code(), "password": "wrong"}
        status = client.post(OWN, form).status_code
        assert status == (429 if number == 4 else 200)
    assert client.post(OWN, {**form, "password": PASSWORD}).status_code == 429


def test_database_holds_neither_secret_nor_codes(alice: User) -> None:
    phone, codes = set_up(browser(alice))
    kept = str([list(TOTPDevice.objects.values()), list(StaticToken.objects.values())])
    for plain in (
        phone.text,
        phone.secret.hex(),
        *codes,
        *(code.replace("-", "") for code in codes),
    ):
        assert plain not in kept


# --- Changing -----------------------------------------------------------------------------------


def test_renewed_codes_replace_the_old_ones(alice: User) -> None:
    client = browser(alice)
    phone, old = set_up(client)
    form = {"code": phone.code(), "password": PASSWORD}
    page = client.post(CODES, form).content.decode()
    new = re.findall(r"<li><code>([a-z2-7-]{19})</code></li>", page)
    assert len(new) == 10 and not set(new) & set(old)
    assert StaticToken.objects.count() == 10
    # The code was consumed.
    assert "This code is not right" in client.post(CODES, form).content.decode()
    assert [action for action, *_ in audited()] == ["second_factor_added", "recovery_codes_renewed"]


def test_removal_needs_password_and_code(alice: User) -> None:
    client = browser(alice)
    phone, codes = set_up(client)
    assert client.get(REMOVE).status_code == 200
    for code, password in (
        ("", PASSWORD),
        (phone.code(), ""),
        (codes[0], "wrong"),
        ("x", PASSWORD),
    ):
        assert client.post(REMOVE, {"code": code, "password": password}).status_code == 200
    assert app_of(alice) is not None
    AuthenticatorApp.objects.update(throttling_failure_count=0)
    response = client.post(REMOVE, {"code": phone.code(), "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, OWN)
    assert app_of(alice) is None and StaticToken.objects.count() == 0
    assert client.get("/admin/").status_code == 200
    assert audited()[-1] == ("second_factor_removed", "alice", "alice")


def test_recovery_code_removes_the_second_factor(alice: User) -> None:
    client = browser(alice)
    _, codes = set_up(client)
    assert client.post(REMOVE, {"code": codes[3], "password": PASSWORD}).status_code == 302
    assert app_of(alice) is None


def test_user_without_a_second_factor_is_redirected(alice: User) -> None:
    for page in (CODES, REMOVE):
        assert browser(alice).get(page)["Location"] == OWN


# --- Reset by superusers ------------------------------------------------------------------------


def test_only_superusers_reset_another_users_second_factor(
    alice: User, bob: User, boss: User
) -> None:
    set_up(browser(alice))
    url = reverse("admin:user_second_factor_reset", args=[alice.pk])
    change = reverse("admin:auth_user_change", args=[alice.pk])
    for other in (alice, bob):
        client = browser(other)
        if other == alice:
            session = client.session
            app = app_of(alice)
            assert app is not None
            session[DEVICE_ID_SESSION_KEY] = app.persistent_id
            session.save()
        assert client.post(url, {"confirmed": "yes"}).status_code == 403
    client = browser(boss)
    assert f'href="{url}"' in client.get(change).content.decode()
    assert "Reset the second factor" in client.get(url).content.decode()
    assert app_of(alice) is not None
    assert client.post(url, {"confirmed": "yes"})["Location"] == change
    assert app_of(alice) is None and StaticToken.objects.count() == 0
    assert audited()[-1] == ("second_factor_reset", "alice", "boss")
    assert f'href="{url}"' not in client.get(change).content.decode()


def test_superuser_cannot_reset_their_own_second_factor(boss: User) -> None:
    client = browser(boss)
    set_up(client)
    url = reverse("admin:user_second_factor_reset", args=[boss.pk])
    assert client.post(url, {"confirmed": "yes"})["Location"] == OWN
    assert app_of(boss) is not None
    change = client.get(reverse("admin:auth_user_change", args=[boss.pk])).content.decode()
    assert f'href="{url}"' not in change


def test_command_resets_the_second_factor(alice: User) -> None:
    set_up(browser(alice))
    out = StringIO()
    call_command("reset_second_factor", "alice", stdout=out)
    assert out.getvalue() == "alice logs in with the password alone now.\n"
    assert audited()[-1] == ("second_factor_reset", "alice", "command line")
    for name, why in (("alice", "no second factor"), ("nobody", "no user")):
        with pytest.raises(CommandError, match=why):
            call_command("reset_second_factor", name)


# --- Logs, audit and storage --------------------------------------------------------------------


def test_secrets_and_codes_are_not_logged_audited_or_stored(
    alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = browser(alice)
    phone, codes = set_up(client)
    tab = Phone(browser(bob).get(OWN).content.decode())
    form = {"sealed": tab.sealed, "code": tab.code(), "password": "wr0ng-password"}
    assert browser(bob).post(OWN, form).status_code == 200
    client.post(CODES, {"code": codes[0], "password": "wr0ng-password"})
    client.post(CODES, {"code": "typed-w0rd", "password": PASSWORD})
    client.post(REMOVE, {"code": codes[1], "password": PASSWORD})
    written = caplog.text + str(
        [list(model.objects.values()) for model in (AuditEntry, AccessAttempt, LoginCount)]
    )
    assert AccessAttempt.objects.exists()
    for plain in (phone.text, phone.secret.hex(), phone.sealed, tab.text, tab.sealed, *codes):
        assert plain not in written
    assert "typed-w0rd" not in written and "wr0ng-password" not in written


def test_error_report_hides_typed_values(
    alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = browser(alice)
    _, codes = set_up(client)

    def fail(*args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(actions, "renew_codes", fail)
    client.raise_request_exception = False
    assert client.post(CODES, {"code": codes[0], "password": PASSWORD}).status_code == 500
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.exc_info
    report = ExceptionReporter(vars(record)["request"], *record.exc_info).get_traceback_text()
    assert "broken" in report and "codes_view" in report
    assert codes[0] not in report and PASSWORD not in report
