"""Each screen while life goes on: two people, a server that dies, browsers without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


def agree_within_a_second(
    visitors: list[Visitor], selector: str, text: str, change: Callable[[], object]
) -> None:
    """The text is drawn on both pages, the second time no more than a second after the first."""
    for visitor in visitors:
        expect(visitor.page.get_by_text("Live", exact=True)).to_be_visible()
        visitor.page.evaluate(DRAWN, [selector, text])
    change()
    drawn = []
    for visitor in visitors:
        body = visitor.page.locator("body[data-drawn]")
        expect(body).to_be_attached()
        drawn.append(float(body.get_attribute("data-drawn") or "nan"))
    assert abs(drawn[0] - drawn[1]) <= TOGETHER_MILLISECONDS


def test_two_users_see_the_same_connection_page(
    visitors: list[Visitor], application: Application, organization: int
) -> None:
    number = link(application, organization)
    for visitor in visitors:
        visitor.open(organization)
    agree_within_a_second(
        visitors,
        '[data-field="sentence"]',
        "The phone unlinked this device.",
        lambda: application.simulator.unlink(number=number),
    )


def test_two_users_see_the_same_fleet_and_list(
    visitors: list[Visitor], application: Application, organization: int
) -> None:
    number = link(application, organization)
    visitors[0].page.goto(f"{application.url}admin/connections/")
    visitors[1].page.goto(f"{application.url}{CONNECTION}?q={number}")
    agree_within_a_second(
        visitors,
        f'[data-organization="{organization}"], tr:has([data-organization="{organization}"])',
        "The phone unlinked this device.",
        lambda: application.simulator.unlink(number=number),
    )


def test_list_and_owner_page_recover_after_server_restart(
    browser: Browser, own_application: Application
) -> None:
    visitor = Visitor(browser, own_application)
    organization = own_application.organization()
    staff = visitor.open(organization)
    press(staff, "Copy a link for the phone's owner")
    expect(staff.locator("[data-url]")).not_to_have_value("")
    phone = visitor.context.new_page()
    phone.goto(staff.locator("[data-url]").input_value())
    press(phone, "Connect WhatsApp")
    expect(stage(phone, "qr")).to_be_visible()
    picture = phone.get_by_role("img", name="QR code")
    first = picture.get_attribute("src") or ""
    staff.goto(own_application.url + CONNECTION)
    expect(staff.get_by_text("Live", exact=True)).to_be_visible()
    visitor.at_ease()

    own_application.kill()
    expect(staff.get_by_text("Live", exact=True)).to_be_hidden()
    expect(phone.get_by_text("comes back by itself")).to_be_visible()
    own_application.start()
    expect(staff.get_by_text("Live", exact=True)).to_be_visible()
    expect(phone.get_by_text("comes back by itself")).to_be_hidden()
    # The code of the process that died is worth nothing; the page has the new one by itself.
    expect(stage(phone, "qr")).to_be_visible()
    expect(picture).not_to_have_attribute("src", first)
    own_application.simulator.scan(qr_code(phone))
    expect(stage(phone, "done")).to_be_visible()
    row = staff.locator(f'tr:has([data-organization="{organization}"])')
    expect(row).to_contain_text("Connected")
    visitor.context.close()


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
