"""Fixtures: a browser that all tests of this folder share, and a visitor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitor import Visitor, launch
from tests.support.application import Application


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # It ends with this folder, because its event loop would disturb asynchronous tests.
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser, of which each module closes all that it has opened."""
    yield chromium
    for context in chromium.contexts:
        context.close()


@pytest.fixture
def width() -> int:
    """The width of a visitor's window in pixels."""
    return 1280


@pytest.fixture
def visitor(browser: Browser, application: Application, width: int) -> Iterator[Visitor]:
    visitor = Visitor(browser, application, width=width)
    yield visitor
    visitor.context.close()
