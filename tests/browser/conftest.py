"""Fixtures: a browser for each module, and a visitor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitor import Visitor, launch
from tests.support.application import Application


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Per module, because its event loop would disturb asynchronous tests.
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser: Browser, application: Application) -> Iterator[Visitor]:
    visitor = Visitor(browser, application)
    yield visitor
    visitor.context.close()
