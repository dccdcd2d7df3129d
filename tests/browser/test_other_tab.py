"""Two tabs of one browser: a new login, or the end of one, is noticed in the other tab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import assert_accessible
from tests.browser.visitor import Visitor, press
from tests.support.application import Application

SETTINGS = "admin/organizations/organization/{}/change/"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    with Application(tmp_path_factory.mktemp("tabs")) as running:
        yield running


def log_in(page: Page, username: str, password: str) -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    press(page, "Log in")


def test_tab_says_that_its_login_ended_and_goes_on_after_the_next(
    browser: Browser, application: Application
) -> None:
    facts = application.facts
    application.manage(
        "shell",
        "-c",
        "from django.contrib.auth.models import User;"
        " User.objects.create_superuser('bob', password='correct horse')",
    )
    visitor = Visitor(browser, application)
    organization = application.organization()
    tab, other = visitor.page, visitor.new_page()
    # A page with a form, which only shows the organization's state besides.
    tab.goto(application.url + SETTINGS.format(organization))
    expect(tab.get_by_text("Live", exact=True)).to_be_visible()
    banner = tab.locator("[data-session]")
    visitor.open(organization, other)

    visitor.log_out(other)
    expect(banner).to_contain_text("Your session has ended.")
    expect(tab.get_by_text("Live", exact=True)).to_be_hidden()
    assert_accessible(tab)
    login = banner.get_by_role("link", name="Log in again").get_attribute("href") or ""
    assert SETTINGS.format(organization) in login

    # The same person: the tab goes on by itself.
    other.goto(application.url + "admin/login/")
    log_in(other, facts["username"], facts["password"])
    expect(banner).to_be_hidden()
    expect(tab.get_by_text("Live", exact=True)).to_be_visible()
    # The link leads to the page, also for somebody who is logged in by now.
    other.goto(application.url.rstrip("/") + login)
    assert other.url.endswith(SETTINGS.format(organization))

    # Somebody else: the tab says so, and goes on when it is told to.
    tab.get_by_label("Name").fill("Not saved")
    press(other, "Log out")
    other.goto(application.url + "admin/login/")
    log_in(other, "bob", "correct horse")
    expect(banner).to_contain_text("You are logged in as bob in another tab now.")
    expect(tab.get_by_label("Name")).to_have_value("Not saved")
    banner.get_by_role("link", name="Reload this page").click()
    expect(banner).to_contain_text("You are logged in as bob now.")
    expect(tab.locator("#user-tools")).to_contain_text("bob")
    visitor.context.close()
