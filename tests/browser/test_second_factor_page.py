"""A person with a phone: sets up a second factor, logs in with it, and removes it again."""

from __future__ import annotations

import base64
import time
from urllib.parse import parse_qs, urlsplit

from django_otp.oath import TOTP
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import assert_accessible
from tests.browser.visitor import Visitor, qr_code
from tests.support.application import Application


def app_code(secret: str, steps: int = 0) -> str:
    """What the phone shows, so many steps of 30 s from now."""
    totp = TOTP(base64.b32decode(secret), drift=steps)
    totp.time = time.time()
    return f"{totp.token():06}"


def wait_for_time() -> None:
    """Return at a moment when a step of 30 s has 10 s left at least."""
    left = 30 - time.time() % 30
    if left < 10:
        time.sleep(left)


def confirm(page: Page, code: str, password: str, button: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_label("Your password").fill(password)
    page.get_by_role("button", name=button).click()


def enter(page: Page, application: Application) -> None:
    """The first step of the login."""
    page.goto(f"{application.url}admin/")
    page.get_by_label("Username").fill(application.facts["username"])
    page.get_by_label("Password").fill(application.facts["password"])
    page.get_by_role("button", name="Log in").click()


def test_second_factor_from_set_up_to_removal(
    browser: Browser, own_application: Application
) -> None:
    visitor = Visitor(browser, own_application)
    page, password = visitor.page, own_application.facts["password"]

    page.get_by_role("link", name="Second factor").click()
    assert_accessible(page)
    secret = parse_qs(urlsplit(qr_code(page)).query)["secret"][0]
    shown = page.locator(".second-factor-secret").inner_text()
    assert "".join(shown.split()) == secret
    confirm(page, "x", password, "Turn on")
    expect(page.get_by_text("The app shows another code by now")).to_be_visible()
    assert_accessible(page)
    # The code of a step ago, so that the one of now is still good for the login.
    wait_for_time()
    confirm(page, app_code(secret, -1), password, "Turn on")
    expect(page.get_by_text("They are shown only this once")).to_be_visible()
    codes = page.locator(".second-factor-codes li").all_inner_texts()
    assert len(codes) == 10
    assert_accessible(page)
    page.get_by_role("link", name="I have stored them").click()
    page.wait_for_url("**/admin/")

    page.get_by_role("button", name="Log out").click()
    enter(page, own_application)
    page.wait_for_url("**/admin/login/code/")
    assert_accessible(page)
    page.get_by_label("Code").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("This code is not right")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Code").fill(app_code(secret))
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")

    page.get_by_role("link", name="Second factor").click()
    expect(page.get_by_text("10 recovery codes are left.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Remove the second factor").click()
    assert_accessible(page)
    confirm(page, codes[0], password, "Remove the second factor")
    expect(page.get_by_text("asks for the password alone again")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    enter(page, own_application)
    page.wait_for_url("**/admin/")
    visitor.at_ease()
