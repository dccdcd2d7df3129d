"""The page of the API's document in a real Chromium: accessible, and nothing from elsewhere."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.axe import assert_accessible, violations
from tests.browser.visitor import Visitor
from tests.support.application import Application


def test_operation_is_found_and_called_on_an_accessible_page(
    visitor: Visitor, application: Application
) -> None:
    page = visitor.page
    page.goto(f"{application.url}api/v1/docs")
    expect(page.get_by_role("heading", name="First calls")).to_be_visible()
    operation = page.locator("#operations-organizations-listOrganizations")
    other = page.locator("#operations-tokens-listOwnTokens")
    expect(other).to_be_visible()
    page.get_by_role("searchbox", name="Find an operation").fill("organizations SEE")
    expect(other).to_be_hidden()

    page.get_by_role("button", name="Authorize").first.click()
    credentials = page.locator(".auth-container")
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    credentials.locator("input").fill(application.facts["token"])
    credentials.get_by_role("button", name="Apply credentials").click()
    credentials.get_by_role("button", name="Close").click()

    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("Padaria Estrela")
    # One with a body and its schema, beside few others: axe takes long on all of them.
    page.get_by_role("searchbox").fill("message")
    sending = page.locator("#operations-messages-sendMessage")
    sending.locator(".opblock-summary-control").click()
    sending.get_by_role("tab", name="Schema").first.click()
    sending.get_by_role("button", name="Try it out").click()
    assert_accessible(page)
    page.set_viewport_size({"width": 390, "height": 800})
    assert violations(page) == []

    # The address of an opened operation leads back to it.
    assert page.url.endswith("#/messages/sendMessage")
    page.reload()
    expect(sending.locator(".opblock-section-header").first).to_be_in_viewport()
    visitor.at_ease()
