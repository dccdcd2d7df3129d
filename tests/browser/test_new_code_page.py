"""A saved login that WhatsApp does not take, in a real Chromium: what helps, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.scenes import Scenes
from tests.browser.test_owner_link_page import Phone, copied_link, follow, stage
from tests.browser.visitor import Visitor, digits, panel, press, qr_code, status
from tests.support.application import Application

NEW_CODE, CANCEL = "Get a new code", "Cancel"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A product that calls a refusal long after two seconds."""
    folder = tmp_path_factory.mktemp("new_code") / "data"
    with Application(folder, LOGIN_REFUSED_LONG_SECONDS="2") as application:
        yield application


def primary(page: Page) -> Locator:
    """The buttons that are offered first."""
    return page.locator("#connection .primary:visible")


def reasons(application: Application, organization: int) -> list[str]:
    """The reasons in the history, the newest first."""
    path = f"/api/v1/organizations/{organization}/events?kind=connection"
    return [line["reason"] for line in application.request("GET", path).body["results"]]


def test_refused_login_is_kept_until_a_new_link(visitor: Visitor, application: Application) -> None:
    organization, number = Scenes(application).login_still_refused("Refused")
    page = visitor.open(organization)
    expect(status(page)).to_contain_text("has refused the saved login for several minutes")
    expect(primary(page)).to_have_text([NEW_CODE])

    press(page, NEW_CODE)
    expect(panel(page, "code")).to_be_visible()
    first = qr_code(page)
    expect(page.get_by_text("The saved login is kept.", exact=True)).to_be_visible()
    press(page, CANCEL)
    expect(panel(page, "reconnecting")).to_be_visible()
    assert "saved_login_kept" in reasons(application, organization)
    assert application.api("GET", organization, "status").body["number"] == number

    press(page, NEW_CODE)
    expect(panel(page, "code")).to_be_visible()
    assert qr_code(page) != first
    expect(page.get_by_role("button", name=CANCEL)).to_be_visible()
    linked = application.simulator.scan(qr_code(page))
    expect(panel(page, "connected")).to_be_visible()
    assert digits(page) == linked.number != number
    # The old device cannot log in, so nobody can log it out but its phone.
    expect(status(page)).to_contain_text("the old device could not be unlinked")
    expect(primary(page)).to_have_count(0)
    assert reasons(application, organization)[0] == "old_device_left"
    visitor.at_ease()


def test_unstable_link_offers_a_new_code_and_shows_the_next_attempt(
    visitor: Visitor, application: Application
) -> None:
    organization, _ = Scenes(application).link_unstable("Unstable")
    page = visitor.open(organization)
    expect(status(page)).to_contain_text("accepts the login and drops the connection again")
    expect(page.locator("[data-retry]")).to_contain_text("Next try")
    expect(primary(page)).to_have_text([NEW_CODE])
    visitor.at_ease()


def test_new_code_works_without_javascript(browser: Browser, application: Application) -> None:
    organization, _ = Scenes(application).login_still_refused("Refused, without scripts")
    visitor = Visitor(browser, application, javascript=False)
    page = visitor.open(organization)
    expect(primary(page)).to_have_text([NEW_CODE])
    press(page, NEW_CODE)
    expect(page.get_by_text("Reconnecting has begun.")).to_be_visible()
    application.wait_for_state(organization, "awaiting_scan")
    page.reload()
    expect(panel(page, "code")).to_be_visible()
    press(page, CANCEL)
    expect(page.get_by_text("Linking was cancelled.")).to_be_visible()
    assert "saved_login_kept" in reasons(application, organization)
    visitor.context.close()


def test_owner_page_opens_with_a_new_code(browser: Browser, application: Application) -> None:
    organization, number = Scenes(application).login_still_refused("Refused, and its owner")
    staff = Visitor(browser, application)
    url = copied_link(staff, organization)
    phone = Phone(browser)
    follow(phone.page, url)
    stage(phone.page, "ready")
    phone.page.get_by_role("button", name="Connect WhatsApp").click()
    stage(phone.page, "qr")
    assert "resuming" not in reasons(application, organization)
    application.simulator.clear_faults()
    application.simulator.scan(qr_code(phone.page), number=number)
    stage(phone.page, "done")
    assert application.wait_for_state(organization, "connected")["number"] == number
    phone.at_ease()
    phone.context.close()
    staff.context.close()


def test_unsupported_phone_sees_advice_beside_the_code(
    visitor: Visitor, application: Application
) -> None:
    page = visitor.open(Scenes(application).phone_unsupported("Old phone"))
    expect(panel(page, "code")).to_be_visible()
    expect(page.get_by_text("Update WhatsApp on the phone, then use the code")).to_be_visible()
    expect(page.get_by_text("Point the phone at this code")).to_be_visible()
    visitor.at_ease()
