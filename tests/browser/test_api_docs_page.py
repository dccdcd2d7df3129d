"""The page that shows the API's document: in a real Chromium, and nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.visitor import Visitor, launch
from tests.support.application import Application


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # For this module alone: its event loop would be in the way of asynchronous tests.
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser: Browser, application: Application) -> Iterator[Visitor]:
    visitor = Visitor(browser, application)
    yield visitor
    visitor.context.close()


def test_an_operation_can_be_tried(visitor: Visitor, application: Application) -> None:
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
