"""The page that shows the API's document: in a real Chromium, and nothing from anywhere else."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.support.application import Application


def test_operation_can_be_called_from_the_docs_page(
    visitor: Visitor, application: Application
) -> None:
    page = visitor.page
    page.goto(f"{application.url}api/v1/docs")
    expect(page.get_by_role("heading", name="WhatsApp Orgs")).to_be_visible()
    page.get_by_role("button", name="Authorize").first.click()
    credentials = page.locator(".auth-container")
    credentials.locator("input").fill(application.facts["token"])
    credentials.get_by_role("button", name="Apply credentials").click()
    credentials.get_by_role("button", name="Close").click()
    operation = page.locator("#operations-organizations-listOrganizations")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("Padaria Estrela")
    visitor.at_ease()
