"""The live page in a real Chromium, before the real product."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser.visitor import Visitor, ask_to_disconnect, digits, panel, press, qr_code, status
from tests.support.application import Application, until
from tests.support.linking import online


def test_reconnect_scan_disconnect_and_reconnect_again(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.page
    page.goto(f"{application.url}admin/")
    page.get_by_role("searchbox").first.fill("organization of test_reconnect_scan_disconnect")
    page.keyboard.press("Enter")
    expect(status(page)).to_contain_text("has not been connected yet")

    press(page, "Reconnect")
    expect(page.get_by_text("Code 1 of 6")).to_be_visible()
    expect(page.get_by_text("s left")).to_be_visible()
    first = qr_code(page)
    linked = application.simulator.scan(first)
    expect(panel(page, "connected")).to_be_visible()
    assert digits(page) == linked.number
    assert application.has_credentials(organization)

    ask_to_disconnect(page)
    expect(page.get_by_role("dialog")).to_contain_text("is unlinked at WhatsApp")
    press(page, "Keep it")
    expect(panel(page, "connected")).to_be_visible()
    press(page, "Disconnect…")  # "More" is still open.
    press(page, "Disconnect")
    expect(panel(page, "disconnected")).to_be_visible()
    expect(status(page)).to_contain_text("The credentials were deleted")
    assert not application.has_credentials(organization)
    assert linked.number not in {device["number"] for device in application.simulator.devices()}

    press(page, "Reconnect")
    expect(panel(page, "code")).to_be_visible()
    assert qr_code(page) != first
    expect(page.get_by_text("More", exact=True)).to_be_hidden()
    press(page, "Cancel")
    expect(status(page)).to_contain_text("so nothing was disconnected")
    press(page, "Reconnect")
    expect(panel(page, "code")).to_be_visible()
    press(page, "Scan with the simulated phone")
    expect(panel(page, "connected")).to_be_visible()
    number = application.api("GET", organization, "status").body["number"]
    assert digits(page) == number
    expect(page.locator("[data-history] li").first).to_contain_text("WhatsApp is connected")
    visitor.at_ease()


def test_two_viewers_see_the_same_state(
    visitor: Visitor, browser: Browser, application: Application, organization: int
) -> None:
    other = Visitor(browser, application, dark=True)
    pages = [visitor.open(organization), other.open(organization)]
    press(pages[0], "Reconnect")
    for page in pages:
        expect(panel(page, "code")).to_be_visible()
    assert qr_code(pages[0]) == qr_code(pages[1])
    resumes = application.simulator.stats()["resumes"]
    press(pages[1], "Scan with the simulated phone")
    for page in pages:
        expect(panel(page, "connected")).to_be_visible()
    number = digits(pages[0])
    assert number == digits(pages[1]) != ""
    # While the new link moves to a session host, it is told as it comes back.
    until(
        lambda: application.simulator.stats()["resumes"] > resumes and online(application, number),
        15,
        "the move to a session host",
    )
    application.simulator.unlink(number=number)
    for page in pages:
        expect(status(page)).to_contain_text("The phone unlinked this device.")
    visitor.at_ease()
    other.at_ease()
    other.context.close()


def test_api_request_updates_the_page(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.open(organization)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    application.api("POST", organization, "reconnect")
    expect(panel(page, "code")).to_be_visible()
    application.api("DELETE", organization, "disconnect")
    expect(panel(page, "disconnected")).to_be_visible()
    visitor.at_ease()


def test_ended_session_leads_to_the_login(visitor: Visitor, organization: int) -> None:
    page = visitor.open(organization)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    other = visitor.open(organization, visitor.new_page())
    visitor.log_out(other)
    # A tab that is looked at again asks at once.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    page.get_by_role("link", name="Log in again").click()
    expect(page.get_by_label("Username")).to_be_visible()
    assert f"connection/{organization}/change" in page.url


def test_forms_work_without_javascript(
    browser: Browser, application: Application, organization: int
) -> None:
    visitor = Visitor(browser, application, javascript=False)
    page = visitor.open(organization)
    assert "Reload it to see what has changed" in page.content()
    page.get_by_text("Link with phone number instead").last.click()
    page.get_by_label("Phone number").fill("123")
    press(page, "Get a code")
    expect(page.get_by_text("Write the whole number")).to_be_visible()
    visitor.open(organization)
    press(page, "Reconnect")
    expect(page.get_by_text("Reconnecting has begun.")).to_be_visible()

    def code_shown() -> bool:
        visitor.open(organization)
        return page.get_by_role("img", name="QR code").is_visible()

    until(code_shown, 15, "a QR code after a reload")
    application.simulator.scan(qr_code(page))
    application.wait_for_state(organization, "connected")
    visitor.open(organization)
    expect(status(page)).to_contain_text("WhatsApp is connected.")

    ask_to_disconnect(page)
    expect(page.get_by_text("needs a new QR code")).to_be_visible()
    press(page, "Disconnect")
    application.wait_for_state(organization, "disconnected")
    visitor.open(organization)
    expect(status(page)).to_contain_text("The credentials were deleted.")
    visitor.context.close()


def test_page_works_on_small_dark_screen_with_keyboard(
    browser: Browser, application: Application, organization: int
) -> None:
    visitor = Visitor(browser, application, width=360, dark=True)
    page = visitor.open(organization)
    page.get_by_role("button", name="Reconnect").focus()
    page.keyboard.press("Enter")
    expect(panel(page, "code")).to_be_visible()
    # The button is gone; the focus went to what it led to, not back to the top.
    expect(page.locator("[data-words]")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    picture = page.get_by_role("img", name="QR code").bounding_box()
    assert picture is not None and picture["width"] >= 264
    application.simulator.scan(qr_code(page))
    expect(panel(page, "connected")).to_be_visible()
    # The menu and the question in it, and all the way back.
    page.get_by_text("More", exact=True).focus()
    for key in ("Enter", "Tab", "Space"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Disconnect…")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_text("More", exact=True)).to_be_focused()
    visitor.at_ease()
    visitor.context.close()
