"""Each page that shows a state says that it is live, and soon when it is not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visitor import Visitor
from tests.support.application import Application, processes_of

ORGANIZATION = "admin/connections/connection/{}/"
PATHS = (
    "admin/connections/",
    "admin/connections/connection/",
    "admin/webhooks/",
    f"{ORGANIZATION}change/",
    f"{ORGANIZATION}messages/",
    f"{ORGANIZATION}webhooks/",
    f"{ORGANIZATION}settings/",
    "admin/organizations/organization/{}/change/",
    "admin/organizations/organization/{}/security/",
)
# Within this time a page has to say that it is not live.
MILLISECONDS = 15_000


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    with Application(tmp_path_factory.mktemp("live")) as running:
        yield running


@contextmanager
def hanging(application: Application) -> Iterator[None]:
    """Stop all processes without an end: connections stay open, and nothing comes through them."""
    pids = processes_of(application.data_dir)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def says_live(page: Page) -> None:
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("interrupted")).to_be_hidden()


def says_not_live(page: Page) -> None:
    expect(page.get_by_text("interrupted")).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_text("Live", exact=True)).to_be_hidden()


def test_each_page_says_within_15_seconds_that_it_is_not_live(
    browser: Browser, application: Application
) -> None:
    visitor = Visitor(browser, application)
    organization = application.organization()
    tabs = [visitor.new_page() for _ in PATHS]
    for tab, path in zip(tabs, PATHS, strict=True):
        tab.goto(application.url + path.format(organization))
    link = application.api("POST", organization, "owner-link").body["url"]
    owner = browser.new_context().new_page()
    owner.goto(link)
    expect(owner.locator("#owner")).to_be_visible()
    for tab in tabs:
        says_live(tab)

    with hanging(application):
        for tab in [*tabs, owner]:
            says_not_live(tab)
    for tab in tabs:
        says_live(tab)
    expect(owner.get_by_text("interrupted")).to_be_hidden()

    visitor.context.set_offline(True)
    for tab in tabs:
        says_not_live(tab)
    visitor.context.set_offline(False)
    for tab in tabs:
        says_live(tab)
    visitor.context.close()
