"""Silent numbers and the chart of messages on the fleet page, in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import assert_accessible
from tests.browser.visitor import Visitor
from tests.support.application import Application, until
from tests.support.linking import link

CUSTOMER = "5511976540001"

# Four weeks in which the number got messages early on this day of the week.
BUSY_WEEKS = """
from datetime import timedelta
from django.utils import timezone
from messaging.models import MessageDay
now = timezone.localtime()
for week in range(1, 5):
    at = (now - timedelta(weeks=week)).replace(hour=1)
    MessageDay.objects.create(
        organization_id={organization}, day=at.date(), received=40, first_received_at=at
    )
"""


def zone_at_noon() -> str:
    """Return a time zone in which it is about noon: soon after midnight nothing is silent."""
    offset = 12 - datetime.now(UTC).hour
    # The sign of these names is the reverse of what one expects.
    return f"Etc/GMT{-offset:+d}"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("fleet")
    with Application(folder, TIME_ZONE=zone_at_noon()) as running:
        yield running


def open_fleet(visitor: Visitor) -> Page:
    visitor.page.goto(f"{visitor.application.url}admin/connections/")
    return visitor.page


def test_silent_number_appears_and_is_tested(
    visitor: Visitor, application: Application, organization: int
) -> None:
    link(application, organization)
    page = visitor.page
    page.clock.install()
    open_fleet(visitor)
    section = page.locator("[data-silent]")
    expect(section).to_be_hidden()
    application.manage("shell", "--no-imports", "-c", BUSY_WEEKS.format(organization=organization))
    page.clock.fast_forward(16_000)
    row = section.locator(f'[data-silent-organization="{organization}"]')
    expect(row).to_contain_text("Connected, nothing in today, usually 40 on this day of the week.")
    expect(page.locator("[data-traffic]")).to_contain_text("1 silent number")
    assert_accessible(page)
    row.get_by_role("button", name="Test").click()
    page.wait_for_url(f"**/connection/{organization}/change/")
    expect(page.locator('[data-self-test][data-state="sent"]')).to_be_visible()
    visitor.at_ease()


@pytest.mark.parametrize("javascript", [True, False])
def test_chart_switches_to_messages_and_back(
    browser: Browser, application: Application, organization: int, javascript: bool
) -> None:
    number = link(application, organization)
    application.simulator.save_person(CUSTOMER, "Carla")
    application.simulator.say(CUSTOMER, number, "Bom dia")
    visitor = Visitor(browser, application, width=390, javascript=javascript)
    messages = visitor.page
    messages.goto(f"{application.url}admin/connections/connection/{organization}/messages/")

    def has_arrived() -> bool:
        messages.reload()
        return messages.locator(".message-table tbody tr").count() == 1

    until(has_arrived, 10, "the message in the log")
    page = open_fleet(visitor)
    expect(page.get_by_role("heading", name="Connected over time")).to_be_visible()
    switch = page.get_by_role("navigation", name="Chart")
    switch.get_by_role("link", name="Messages").click()
    expect(page.get_by_role("heading", name="Messages over time")).to_be_visible()
    chart = page.get_by_role("img", name=re.compile(r"Last 24 hours: [1-9]\d* in, \d+ out"))
    expect(chart).to_be_visible()
    last_hour = page.locator('[data-period="day"] table tbody tr').last
    expect(last_hour.locator("td").first).not_to_have_text("0")
    if javascript:
        expect(switch.get_by_role("link", name="Messages")).to_be_focused()
    page.locator("label", has_text="7 days").click()
    expect(page.get_by_role("img", name=re.compile("Last 7 days: [1-9]"))).to_be_visible()
    expect(chart).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if javascript:
        page.reload()
        expect(page.get_by_role("heading", name="Messages over time")).to_be_visible()
    switch.get_by_role("link", name="Connected").click()
    expect(page.get_by_role("heading", name="Connected over time")).to_be_visible()
    if javascript:
        visitor.at_ease()
    visitor.context.close()
