"""A browser for each module, and a person at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

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
