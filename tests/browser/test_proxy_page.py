"""The proxy page in a real Chromium: a proxy is set, tried, refuses, and is removed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.visitor import BOTH_WIDTHS, Visitor, press
from tests.support.application import Application

USER, PASSWORD = "user-of-the-proxy", "pr0xy/s3cret@1"


@BOTH_WIDTHS
def test_proxy_is_set_tried_and_removed(
    visitor: Visitor, application: Application, organization: int, width: int
) -> None:
    page, control, name = visitor.page, application.simulator, f"br-{width}"
    made = control.set_proxy(name, kind="http", username=USER, password=PASSWORD)
    page.goto(f"{application.url}admin/organizations/organization/{organization}/proxy/")
    expect(page.get_by_text("this organization has no proxy of its own")).to_be_visible()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Kind", exact=True).select_option("http")
    page.get_by_label("Host", exact=True).fill("127.0.0.1")
    page.get_by_label("Port", exact=True).fill(str(urlsplit(made["url"]).port))
    page.get_by_label("User", exact=True).fill(USER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    press(page, "Save")
    card = page.locator(".message-card").filter(has_text="Way to WhatsApp")
    expect(card).to_contain_text("with user and password, which are not shown")
    expect(card).to_contain_text("Not tried yet.")
    expect(page.get_by_label("User", exact=True)).to_have_value("")
    assert PASSWORD not in page.content() and USER not in page.content()

    press(page, "Try it")
    expect(card).to_contain_text(re.compile(r"Reached WhatsApp in \d+ ms\."))
    expect(card).to_have_attribute("data-tone", "good")
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    control.set_proxy(name, mode="refuse")
    press(page, "Try it")
    refused = "refuses to connect to WhatsApp (it answered with HTTP status 407)."
    expect(card).to_contain_text(refused)
    expect(card).to_have_attribute("data-tone", "bad")
    expect(page.locator(".messagelist .error")).to_contain_text(
        "nothing goes out without the proxy"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.get_by_role("link", name="Remove…").click()
    expect(page.get_by_text(f"Without the proxy {name}")).to_be_visible()
    press(page, "Remove the proxy")
    expect(page.get_by_text("this organization has no proxy of its own")).to_be_visible()
    expect(page.get_by_text("The proxy is removed.")).to_be_visible()
    visitor.at_ease()
