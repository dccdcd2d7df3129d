"""The Webhooks tab in a real Chromium: deliveries arrive, signed, fail, and are sent again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_accessibility import OUTLINED
from tests.browser.test_messages_page import MEMBER, PASSWORD
from tests.browser.visitor import BOTH_WIDTHS, Visitor
from tests.support.application import Application
from tests.support.linking import link


def tab(application: Application, organization: int) -> str:
    return f"{application.url}admin/connections/connection/{organization}/webhooks/"


def owner_of(
    browser: Browser, application: Application, organization: int, **options: object
) -> Page:
    """Return the Webhooks tab of an owner, in a browser profile of their own."""
    name = f"owner-{organization}"
    script = MEMBER.format(name=name, password=PASSWORD, organization=organization, role="owner")
    application.manage("shell", "--no-imports", "-c", script)
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    address = tab(application, organization)
    page.goto(f"{application.url}admin/login/?next={address.removeprefix(application.url[:-1])}")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(address)
    return page


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_newcomer_sees_deliveries_fail_and_arrive(
    browser: Browser, application: Application, organization: int, width: int, dark: bool
) -> None:
    scheme = "dark" if dark else "light"
    size = {"width": width, "height": 800}
    page = owner_of(browser, application, organization, viewport=size, color_scheme=scheme)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    number = link(application, organization)
    page.get_by_role("button", name="Catch events here").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    caught = page.locator(".caught li")
    page.get_by_role("button", name="Answer 500").click()
    expect(page.get_by_text("It answers 500.")).to_be_visible()
    application.simulator.save_person("5511976540001", "Carla", auto="read")
    application.simulator.say("5511976540001", number, "Olá <b>")
    # Without a reload, with the retry after five seconds.
    expect(caught.filter(has_text="answered 500").nth(1)).to_be_visible()
    expect(caught.first).to_contain_text("✓ signature verified")
    expect(page.locator(".endpoint .condition")).to_have_text("Failing")

    page.get_by_role("button", name="Answer 200 again").click()
    arrived = caught.filter(has_text="answered 200").filter(has_text="message.received")
    expect(arrived.first).to_be_visible(timeout=60_000)
    arrived.first.locator("summary").click()
    expect(arrived.first.locator("pre")).to_contain_text('"body": "Olá <b>"')
    expect(page.locator(".endpoint .condition")).to_have_text("OK")
    # The page reads itself again, and keeps open what was opened.
    application.simulator.say("5511976540001", number, "Até logo")
    expect(caught.first).to_contain_text("Até logo")
    expect(arrived.filter(has_text="Olá").first.locator("pre")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.get_by_role("link", name="Its deliveries").click()
    row = page.locator(".delivery-table tbody tr").filter(has_text=re.compile(r"try \d of 11"))
    expect(row).to_contain_text("Delivered")
    row.locator("a").click()
    expect(page.locator(".attempts li").last).to_contain_text("200")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".message-card .now")).to_have_text("Delivered")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="←").click()
    page.get_by_role("link", name="Replay from…").click()
    page.get_by_label("Number of the event").fill("1")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name=re.compile("^Send .* again$")).click()
    expect(page.locator(".delivery-table .kind", has_text="Replay").first).to_be_visible()
    assert errors == []
    page.context.close()


def test_secret_is_shown_once_and_can_be_copied(
    browser: Browser, application: Application, organization: int
) -> None:
    page = owner_of(
        browser,
        application,
        organization,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.get_by_role("link", name="Add a webhook").click()
    page.get_by_label("Address").fill("https://crm.example.com/hooks?key=1")
    page.get_by_label("A message came in").check()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Copy Secret").click()
    expect(page.get_by_text("Copied.").first).to_be_visible()
    secret = page.evaluate("navigator.clipboard.readText()")
    assert secret.startswith("whsec_")
    page.reload()
    expect(page.get_by_role("heading", name="https://crm.example.com/hooks?key=1")).to_be_visible()
    assert secret not in page.content()
    page.context.close()


def test_everything_works_without_javascript(
    browser: Browser, application: Application, organization: int
) -> None:
    page = owner_of(browser, application, organization, java_script_enabled=False)
    page.get_by_role("button", name="Catch events here").click()
    page.get_by_role("link", name="Its deliveries").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("It is paused. What happens meanwhile waits.")).to_be_visible()
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No webhooks yet.")).to_be_visible()
    page.context.close()


def tab_to(page: Page, name: str) -> None:
    """Press Tab up to the element of this text, and see the focus on the way."""
    for _ in range(60):
        page.keyboard.press("Tab")
        text = page.evaluate("document.activeElement.textContent.trim().replace(/\\s+/g, ' ')")
        assert page.evaluate(OUTLINED), text
        if text == name:
            return
    raise AssertionError(f"Tab does not reach {name!r}")


@BOTH_WIDTHS
def test_webhook_is_paused_turned_on_and_given_a_secret_by_keyboard(
    visitor: Visitor, application: Application
) -> None:
    body = {"url": "https://crm.example.com/hooks"}
    made = application.request("POST", "/api/v1/webhooks", body=body)
    assert made.status == 201
    page = visitor.page
    page.goto(f"{application.url}admin/webhooks/{made.body['id']}/")
    outcome = page.locator(".messagelist")
    tab_to(page, "Pause")
    page.keyboard.press("Enter")
    expect(outcome.filter(has_text="It is paused.")).to_be_focused()
    tab_to(page, "Turn on")
    page.keyboard.press("Space")
    expect(outcome.filter(has_text="It is on.")).to_be_focused()
    tab_to(page, "Rotate secret…")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rotate/")
    tab_to(page, "Rotate secret")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The secret is new.")).to_be_visible()
    expect(page.locator("#content-start")).to_be_focused()
    tab_to(page, "I have copied it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Deliveries")).to_be_visible()
    tab_to(page, "Check the signature in your software")
    page.keyboard.press("Space")
    tab_to(page, "Copy Python")
    visitor.at_ease()


def test_page_of_a_deleted_webhook_says_so_and_asks_no_more(
    visitor: Visitor, application: Application
) -> None:
    made = application.request(
        "POST", "/api/v1/webhooks", body={"url": "https://crm.example.com/hooks"}
    )
    page = visitor.page
    page.clock.install()
    page.goto(f"{application.url}admin/webhooks/{made.body['id']}/")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    other = visitor.new_page()
    other.goto(f"{page.url}delete/")
    other.get_by_role("button", name="Delete", exact=True).click()
    expect(other.get_by_role("heading", name="Delivery trouble")).to_be_visible()
    page.clock.run_for(5_000)
    expect(page.get_by_text("This webhook or delivery is no longer here")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_hidden()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
    page.locator("[data-banner]").get_by_role("link", name="All webhooks").click()
    expect(page.get_by_role("heading", name="Delivery trouble")).to_be_visible()


def test_administrator_finds_the_page_in_the_menu(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.application.url}admin/connections/")
    page.get_by_role("navigation", name="Menu").get_by_role("link", name="Webhooks").click()
    expect(page.get_by_role("heading", name="Delivery trouble")).to_be_visible()
    expect(page.get_by_role("heading", name="Webhooks of all organizations")).to_be_visible()
    visitor.at_ease()


HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
# A fast clock would be far ahead of what a server answers.
ANSWER_AT_ONCE = """
  window.readings = 0;
  window.fetch = async (address, { method } = {}) => {
    // Whether the server is there is asked with less.
    if (method !== "HEAD") window.readings += 1;
    return new Response(document.documentElement.outerHTML);
  };
"""


def counted_readings(visitor: Visitor, step: int) -> Callable[[float], int]:
    """Open the page with a clock of the test's. Return a function that lets so many seconds pass,
    and returns how often the page is read meanwhile.

    `step`: how far the clock goes at once, in milliseconds; as long a reading takes.
    """
    page = visitor.page
    page.clock.install()
    page.add_init_script(ANSWER_AT_ONCE)
    page.goto(f"{visitor.application.url}admin/webhooks/")
    expect(page.get_by_role("heading", name="Delivery trouble")).to_be_visible()

    def readings(seconds: float) -> int:
        before = int(page.evaluate("window.readings"))
        for _ in range(round(1_000 * seconds / step)):
            page.clock.run_for(step)
        return int(page.evaluate("window.readings")) - before

    return readings


def test_page_without_changes_is_read_ever_more_rarely_and_never_while_hidden(
    visitor: Visitor,
) -> None:
    page = visitor.page
    readings = counted_readings(visitor, 1_000)
    assert readings(5) > 0
    assert 2 <= readings(120) <= 8
    page.evaluate(HIDE, True)
    assert readings(60) == 0
    page.evaluate(HIDE, False)
    assert readings(1) == 1


NAME_A_TRY = """milliseconds => {
  const time = document.createElement("time");
  time.dateTime = new Date(Date.now() + milliseconds).toISOString();
  time.dataset.try = "";
  document.querySelector("[data-webhooks]").append(time);
}"""


def test_reading_just_before_a_try_is_over_does_not_miss_it(visitor: Visitor) -> None:
    readings = counted_readings(visitor, 100)
    readings(90)
    while not readings(0.1):
        pass
    # Two of the longest pauses later, it reads after the time of the try and before its end.
    visitor.page.evaluate(NAME_A_TRY, 60_000)
    assert readings(59) == 1
    assert readings(6) >= 3
