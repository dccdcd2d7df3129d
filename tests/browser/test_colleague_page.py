"""Inviting a colleague in a real Chromium: one form, one link, a password, and they are in."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser.axe import assert_accessible
from tests.browser.test_owner_link_page import Phone, follow
from tests.browser.visitor import BOTH_WIDTHS, Visitor, press
from tests.support.application import Application

PASSWORD = "correct horse battery"


@BOTH_WIDTHS
def test_colleague_is_invited_and_logs_in_by_the_link(
    visitor: Visitor, browser: Browser, application: Application, width: int
) -> None:
    mail, name = f"nina.{width}@example.com", f"Padaria of Nina {width}"
    (organization,) = application.new_organizations(name)
    page = visitor.page
    page.goto(f"{application.url}admin/auth/user/")
    page.get_by_role("link", name="Invite a colleague").click()
    page.get_by_label("Name", exact=True).fill("Nina Souza")
    page.get_by_label("Mail address").fill(mail)
    search = page.locator(".colleague-form").get_by_role("searchbox")
    expect(search).to_be_hidden()
    page.get_by_label("Only these:").check()
    search.fill(f"padária OF nina {width}")
    page.get_by_role("checkbox", name=name).check()
    assert page.get_by_role("checkbox").count() == 1
    assert_accessible(page)
    press(page, "Invite")
    link = page.locator(".colleague-link").inner_text()

    colleague = Phone(browser, width=width)
    follow(colleague.page, link)
    expect(colleague.page.get_by_text(f"You log in with {mail}")).to_be_visible()
    assert "#" not in colleague.page.url
    assert_accessible(colleague.page)
    for field in ("New password", "New password confirmation"):
        colleague.page.get_by_label(field, exact=True).fill(PASSWORD)
    press(colleague.page, "Save and log in")
    colleague.page.goto(f"{application.url}admin/connections/connection/{organization}/change/")
    expect(colleague.page.get_by_role("heading", name=name)).to_be_visible()
    assert not [line for line in colleague.asked if line.endswith(link.partition("#")[2])]
    colleague.at_ease()
    colleague.context.close()

    page.goto(f"{application.url}admin/colleagues/")
    expect(page.get_by_text("Open invitations")).to_have_count(0)
    visitor.at_ease()
