"""What the live page does beside showing the state: typed codes, countdowns, the history."""

from __future__ import annotations

import json
import re

from playwright.sync_api import WebSocketRoute, expect

from tests.browser.visitor import Visitor, digits, panel, press, qr_code
from tests.support.application import Application


def test_typed_code_links_and_test_message_arrives(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.open(organization)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("summary", has_text="Link with phone number instead").click()
    number = page.get_by_label("Phone number with country code")
    number.fill("+55 11 98765-4399")
    number.press("Enter")
    expect(panel(page, "phone_code")).to_be_visible()
    # The form is gone; the focus went to what it led to.
    expect(page.locator("[data-words]")).to_be_focused()
    # Of the 2 min 40 s that it is good for, however late the page is looked at.
    left = re.compile(r"^\d min( \d+ s)? left$")
    expect(page.locator('[data-field="secondsLeft"]')).to_have_text(left)
    code = page.locator("[data-code-groups]").inner_text()
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", code)
    spelled = page.locator('[data-field="codeSpelled"]').text_content()
    assert spelled == ", ".join(code)
    page.evaluate(COPIED)
    press(page, "Copy code")
    expect(page.locator("body")).to_have_attribute("data-copied", "Copied")
    assert page.evaluate("navigator.clipboard.readText()") == code

    press(page, "Show a QR code instead")
    expect(panel(page, "code")).to_be_visible()
    page.locator("summary", has_text="Link with phone number instead").click()
    press(page, "Get a code")
    expect(panel(page, "phone_code")).to_be_visible()
    press(page, "Type it on the simulated phone")
    expect(panel(page, "connected")).to_be_visible()
    assert digits(page) == "5511987654399"
    press(page, "Send a test message")
    expect(page.get_by_text("The test message was sent")).to_be_visible()
    expect(page.locator("[data-uptime]")).to_contain_text("100 %")
    visitor.at_ease()


def test_other_spelling_of_a_number_is_tried_without_a_message(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.open(organization)
    other = page.get_by_role("button", name="Try that number")
    expect(other).to_be_hidden()
    page.locator("summary", has_text="Link with phone number instead").click()
    number = page.get_by_label("Phone number with country code")
    number.fill("+52 55 1234 5678")
    number.press("Enter")
    code_for = page.locator('[data-field="phoneNumberText"]')
    for shown, offered in (
        ("+52 55 1234 5678", "+52 1 55 1234 5678"),
        ("+52 1 55 1234 5678", "+52 55 1234 5678"),
        ("+52 55 1234 5678", "+52 1 55 1234 5678"),
    ):
        expect(code_for).to_have_text(shown)
        offer = f"No message on the phone? WhatsApp may know this number as {offered}."
        expect(page.locator('[data-field="otherSpelling"]')).to_have_text(offer)
        other.focus()
        page.keyboard.press("Enter")
    expect(code_for).to_have_text("+52 1 55 1234 5678")
    # The button went away while the code was prepared; the focus went to what is new.
    expect(page.locator("[data-words]")).to_be_focused()
    press(page, "Type it on the simulated phone")
    expect(panel(page, "connected")).to_be_visible()
    expect(other).to_be_hidden()
    assert digits(page) == "5215512345678"
    visitor.at_ease()


# That the button has said so: it does for four seconds.
COPIED = """() => {
  const button = document.querySelector('[data-field="copy"]');
  new MutationObserver(() => {
    document.body.dataset.copied ||= button.textContent;
  }).observe(button, { childList: true });
}"""


def test_lost_code_is_covered_and_replaced(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.open(organization)
    press(page, "Reconnect")
    expect(panel(page, "code")).to_be_visible()
    first = qr_code(page)
    page.evaluate(SEEN)
    for found in application.simulator.connections():
        application.simulator.drop(connection=found["id"])
    # Covered at once, without alarm; then the next code, by itself.
    expect(page.locator("body")).to_have_attribute(
        "data-seen", "preparing: A new code is on its way"
    )
    expect(panel(page, "code")).to_be_visible()
    assert qr_code(page) != first
    visitor.at_ease()


# What was said in place of the code, however short the time.
SEEN = """() => {
  const note = document.querySelector('[data-field="newCode"]');
  const { dataset } = document.getElementById("connection");
  new MutationObserver(() => {
    if (note.textContent) document.body.dataset.seen = `${dataset.panel}: ${note.textContent}`;
  }).observe(note, { childList: true });
}"""


def test_reconnecting_page_counts_down_to_next_attempt(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.open(organization)
    press(page, "Reconnect")
    press(page, "Scan with the simulated phone")
    expect(panel(page, "connected")).to_be_visible()
    fault = application.simulator.arm("failure", number=digits(page), reason=400)
    try:
        application.simulator.drop(number=digits(page))
        expect(panel(page, "reconnecting")).to_be_visible()
        expect(page.locator("[data-retry]")).to_have_text(re.compile(r"Next try in \d+ s"))
        # What counts down is not read aloud, the state is.
        expect(page.get_by_role("status").locator("time")).to_have_count(0)
    finally:
        application.simulator.clear_faults(fault)
    expect(panel(page, "connected")).to_be_visible()
    expect(page.locator("[data-retry]")).to_be_hidden()
    visitor.at_ease()


def test_end_of_a_ban_is_said_once_and_no_link_is_offered(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.open(organization)
    press(page, "Reconnect")
    press(page, "Scan with the simulated phone")
    expect(panel(page, "connected")).to_be_visible()
    number = digits(page)
    ban = application.simulator.arm("failure", number=number, reason=402, code=101, expire=10_800)
    application.simulator.drop(number=number)
    ends = re.compile(r"^The ban ends in 2 h 5\d min: \w+ \d+, 20\d\d, \d\d:\d\d$")
    expect(page.locator("[data-retry]")).to_have_text(ends)
    application.simulator.clear_faults(ban)
    expect(page.locator('[data-field="detail"]')).to_be_empty()
    expect(page.locator("[data-make]")).to_be_hidden()
    visitor.page.goto(f"{application.url}admin/connections/")
    row = page.locator(f'.fleet-row[data-organization="{organization}"]')
    expect(row.locator('[data-field="detail"]')).to_contain_text("until ")
    expect(row.locator("[data-retry]")).to_be_hidden()
    visitor.at_ease()


def test_buttons_whose_request_is_not_answered_say_so(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.page
    page.clock.install()
    page.route(re.compile("/(reconnect|owner-link|send)/$"), lambda _route: None)
    visitor.open(organization)
    press(page, "Reconnect")
    press(page, "Copy a link for the phone's owner")
    expect(page.locator("form[aria-busy=true]")).to_have_count(2)
    page.clock.fast_forward(36_000)
    expect(page.locator('[data-field="notice"]')).to_have_text(UNREACHABLE)
    expect(page.locator("[data-said]")).to_contain_text("did not answer as expected")
    expect(page.locator("form[aria-busy=true]")).to_have_count(0)

    page.goto(f"{application.url}admin/connections/connection/{organization}/messages/")
    page.locator("summary", has_text="Write a message").click()
    page.get_by_label("Text", exact=True).fill("Olá")
    press(page, "Send")
    expect(page.locator("form[aria-busy=true]")).to_have_count(1)
    page.clock.fast_forward(36_000)
    # It may be sent again, and does not leave twice.
    expect(page.locator('[data-problem-of="__all__"]')).to_have_text(UNREACHABLE)
    expect(page.get_by_label("Text", exact=True)).to_have_value("Olá")
    visitor.at_ease()


UNREACHABLE = "The server cannot be reached. Try again when live updates are back."


def test_history_pages_reach_the_first_event(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.open(organization)
    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()
    application.manage("shell", "-c", PAST.format(organization=organization))
    visitor.open(organization)
    lines = page.locator("[data-history] li")
    expect(lines).to_have_count(20)
    # Each under the day where the reader is; the browser's clock is in UTC, too.
    days = page.locator("[data-history] h3")
    expect(days.first).to_have_text(re.compile("^Yesterday, "))
    expect(lines.nth(1)).to_contain_text("for 1 d")
    earlier = page.get_by_role("link", name="Show earlier")
    earlier.focus()
    page.keyboard.press("Enter")
    expect(lines).to_have_count(30)
    expect(days).to_have_count(30)
    expect(earlier).to_be_hidden()
    expect(page.get_by_role("heading", name="History", exact=True)).to_be_focused()
    visitor.at_ease()


def test_uptime_is_drawn_again_when_the_server_s_day_changes(
    visitor: Visitor, organization: int
) -> None:
    page = visitor.page
    passed: list[str] = []

    def change_day(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def answer(message: str | bytes) -> None:
            told = json.loads(message)
            if passed and told["type"] == "snapshot":
                told["today"] = passed[0]
            socket.send(json.dumps(told))

        server.on_message(answer)

    page.route_web_socket(re.compile("/connection/$"), change_day)
    visitor.open(organization)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    passed.append("2099-01-01")
    page.evaluate("document.querySelector('.strip-ends').dataset.old = ''")
    # A page that is looked at again asks for a snapshot.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".strip-ends[data-old]")).to_have_count(0)


PAST = """
from datetime import timedelta
from django.utils import timezone
from connections.models import ConnectionEvent
now = timezone.now()
for ago in range(1, 31):
    ConnectionEvent.objects.create(
        connection_id={organization}, at=now - timedelta(days=ago), observation="linked",
        state_before=["connected", "reconnecting"][ago % 2],
        state=["reconnecting", "connected"][ago % 2], reason=["link_lost", "resumed"][ago % 2],
    )
"""
