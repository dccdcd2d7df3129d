"""Each screen while life goes on: two people, browsers without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.test_accessibility import CONNECTION
from tests.browser.visitor import Visitor, panel, press, qr_code
from tests.support.application import Application
from tests.support.linking import link

# Both are told by one message; a busy machine draws one page after the other.
TOGETHER_MILLISECONDS = 1_000
DRAWN = """([selector, text]) => {
  const note = () => {
    const found = [...document.querySelectorAll(selector)];
    if (found.some((each) => each.textContent.includes(text))) {
      document.body.dataset.drawn ||= String(performance.timeOrigin + performance.now());
    }
  };
  new MutationObserver(note).observe(document.body, {
    childList: true, characterData: true, attributes: true, subtree: true,
  });
}"""


@pytest.fixture
def visitors(browser: Browser, application: Application) -> Iterator[list[Visitor]]:
    """Two people, each with a browser profile of their own."""
    pair = [Visitor(browser, application), Visitor(browser, application, dark=True)]
    yield pair
    for each in pair:
        each.at_ease()
        each.context.close()


def drawn_at(page: Page) -> float:
    """Return when the text that `DRAWN` looks for was drawn, in milliseconds."""
    body = page.locator("body[data-drawn]")
    expect(body).to_be_attached()
    return float(body.get_attribute("data-drawn") or "nan")


def test_two_users_see_a_change_within_a_second_on_each_page(
    visitors: list[Visitor], application: Application, organization: int
) -> None:
    number = link(application, organization)
    change, row = "The phone unlinked this device.", f'[data-organization="{organization}"]'
    fleet, listed = visitors[0].new_page(), visitors[1].new_page()
    fleet.goto(f"{application.url}admin/connections/")
    listed.goto(f"{application.url}{CONNECTION}?q={number}")
    connections = [visitor.open(organization) for visitor in visitors]
    for page in (fleet, listed, *connections):
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        selector = '[data-field="sentence"]' if page in connections else f"{row}, tr:has({row})"
        page.evaluate(DRAWN, [selector, change])
    application.simulator.unlink(number=number)
    for first, second in (connections, (fleet, listed)):
        assert abs(drawn_at(first) - drawn_at(second)) <= TOGETHER_MILLISECONDS


def stage(page: Page, name: str) -> Locator:
    """The page for the phone's owner, once it shows this."""
    return page.locator(f'#owner[data-stage="{name}"]')


def test_linking_works_without_javascript(
    browser: Browser, application: Application, organization: int
) -> None:
    visitor = Visitor(browser, application, javascript=False)
    page = visitor.page
    page.goto(f"{application.url}{CONNECTION}?q=without_javascript")
    page.get_by_role("link", name="Organization of test_linking_works").click()
    press(page, "Copy a link for the phone's owner")
    url = page.locator(".owner-link-text").inner_text()
    phone = browser.new_context(java_script_enabled=False).new_page()
    phone.goto(url)
    phone.locator("#paste-plain").fill(url)
    press(phone, "Open")
    press(phone, "Connect WhatsApp")
    # It loads itself anew until there is a code.
    expect(stage(phone, "qr")).to_be_visible()
    application.simulator.scan(qr_code(phone))
    expect(stage(phone, "done")).to_be_visible()
    phone.context.close()

    visitor.open(organization)
    press(page, "Send a test message")
    expect(page.locator(".messagelist")).to_contain_text("The test message is on its way.")
    page.goto(f"{application.url}{CONNECTION}?q=without_javascript")
    page.locator(f'input[name="_selected_action"][value="{organization}"]').check()
    press(page, "Disconnect…")
    page.get_by_role("button", name="Disconnect: 1").click()
    # So does the page of a run.
    expect(page.locator('[data-result="done"]')).to_be_visible()
    visitor.open(organization)
    expect(panel(page, "disconnected")).to_be_visible()
    visitor.at_ease()
    visitor.context.close()
