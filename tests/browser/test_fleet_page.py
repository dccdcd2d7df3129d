"""The fleet page in a real Chromium, before the real product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.visitor import Visitor
from tests.support.application import Application, until
from tests.support.linking import link


@pytest.fixture
def visitor(browser: Browser, application: Application) -> Iterator[Visitor]:
    visitor = Visitor(browser, application)
    yield visitor
    visitor.context.close()


def open_fleet(visitor: Visitor, page: Page | None = None) -> Page:
    page = page or visitor.page
    page.goto(f"{visitor.application.url}admin/connections/")
    return page


def line(page: Page, section: str, organization: int) -> Locator:
    """The line of an organization, where it stands in this section."""
    return page.locator(f'section[data-section="{section}"] [data-organization="{organization}"]')


def count(page: Page, section: str) -> int:
    return int(page.locator(f'.fleet-counts [data-count="{section}"]').inner_text())


def test_two_users_see_rows_and_totals_change(
    visitor: Visitor, browser: Browser, application: Application, organization: int
) -> None:
    other = Visitor(browser, application, dark=True)
    pages = [open_fleet(visitor), open_fleet(other)]
    for page in pages:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(line(page, "never_linked", organization)).to_be_attached()
    before = [count(pages[0], name) for name in ("connected", "action_needed")]

    number = link(application, organization)
    for page in pages:
        expect(line(page, "connected", organization)).to_be_visible()
        assert count(page, "connected") == before[0] + 1
    told = line(pages[0], "connected", organization).inner_text()
    assert number in re.sub(r"\D", "", told)

    application.simulator.unlink(number=number)
    for page in pages:
        row = line(page, "action_needed", organization)
        expect(row).to_contain_text("The phone unlinked this device.")
        expect(row.locator("[data-since]")).to_have_text(re.compile("now|second"))
        assert [count(page, name) for name in ("connected", "action_needed")] == [
            before[0],
            before[1] + 1,
        ]
        expect(page.locator("[data-announcer]")).to_contain_text("needs action.")

    # The step that helps leads to the code.
    line(pages[0], "action_needed", organization).get_by_role("button", name="Reconnect").click()
    expect(pages[0].get_by_role("img", name="QR code")).to_be_visible()
    expect(line(pages[1], "linking", organization)).to_be_visible()
    application.api("DELETE", organization, "disconnect")
    expect(line(pages[1], "disconnected", organization)).to_be_attached()
    for each in (visitor, other):
        each.at_ease()
    other.context.close()


def test_focus_stays_on_a_row_that_moves(
    browser: Browser, application: Application, organization: int
) -> None:
    visitor = Visitor(browser, application, width=360)
    number = link(application, organization)
    page = open_fleet(visitor)
    name = line(page, "connected", organization).locator("a[data-field=name]")
    name.focus()
    application.simulator.unlink(number=number)
    row = line(page, "action_needed", organization)
    expect(row).to_be_visible()
    expect(row.locator("a[data-field=name]")).to_be_focused()
    page.keyboard.press("Tab")
    expect(row.get_by_role("button", name="Reconnect")).to_be_focused()
    # The button goes when someone else has pressed it; the organization stays in reach.
    application.api("POST", organization, "reconnect")
    moved = line(page, "linking", organization).locator("a[data-field=name]")
    expect(moved).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    application.api("DELETE", organization, "disconnect")
    summary = page.locator('section[data-section="disconnected"] summary')
    expect(summary).to_be_focused()
    visitor.at_ease()
    visitor.context.close()


def test_page_is_complete_without_javascript(
    browser: Browser, application: Application, organization: int
) -> None:
    visitor = Visitor(browser, application, javascript=False)
    number = link(application, organization)
    page = open_fleet(visitor)
    expect(line(page, "connected", organization)).to_be_visible()
    assert "Reload it to see what has changed" in page.content()
    expect(page.get_by_role("img", name="Last 24 hours")).to_be_visible()
    page.locator("label", has_text="7 days").click()
    expect(page.get_by_role("img", name="Last 7 days")).to_be_visible()
    expect(page.get_by_role("img", name="Last 24 hours")).to_be_hidden()

    application.simulator.unlink(number=number)
    application.wait_for_state(organization, "action_needed")
    page.get_by_role("link", name="Reload").click()
    line(page, "action_needed", organization).get_by_role("button", name="Reconnect").click()
    expect(page.get_by_text("Reconnecting has begun.")).to_be_visible()
    application.api("DELETE", organization, "disconnect")

    page.locator(".languages summary").click()
    page.get_by_role("button", name="Español").click()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    assert page.url.endswith(f"/connection/{organization}/change/")
    visitor.context.close()


def test_burst_of_changes_is_announced_briefly(visitor: Visitor, application: Application) -> None:
    ids = application.new_organizations(*(f"Flood {number}" for number in range(6)))
    page = open_fleet(visitor)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.evaluate(
        """() => {
            const region = document.querySelector("[data-announcer]");
            window.said = [];
            new MutationObserver(() => window.said.push([performance.now(), region.textContent]))
                .observe(region, { childList: true });
        }"""
    )
    numbers = [link(application, organization) for organization in ids]
    for number in numbers:
        application.simulator.unlink(number=number)

    def all_told() -> bool:
        counts = [re.search(r": (\d+)\.", text) for _, text in page.evaluate("window.said")]
        return sum(int(found[1]) if found else 1 for found in counts) >= len(ids)

    until(all_told, 40, "all six are announced")
    times = [time for time, _ in page.evaluate("window.said")]
    assert all(later - earlier > 3_000 for earlier, later in pairwise(times))
    visitor.at_ease()
