"""The Messages tab and the fleet's traffic in a real Chromium, before the real product."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.visitor import Visitor
from tests.support.application import Application, until
from tests.support.linking import link, online

MEMBER = """
from django.contrib.auth.models import User
from organizations.models import Membership
user, _ = User.objects.get_or_create(username="{name}", defaults={{"is_staff": True}})
user.set_password("{password}")
user.save()
Membership.objects.get_or_create(user=user, organization_id={organization}, role="{role}")
"""
PASSWORD = "planted-by-a-test"


def open_messages(
    visitor: Visitor, organization: int, page: Page | None = None, place: str = ""
) -> Page:
    page = page or visitor.page
    tab = f"{visitor.application.url}admin/connections/connection/{organization}/messages/"
    page.goto(tab + place)
    return page


def write(page: Page, number: str, text: str) -> None:
    """Fill the form and send it."""
    page.locator("summary", has_text="Write a message").click()
    page.get_by_label("To", exact=True).fill(number)
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def log_in(
    browser: Browser, application: Application, organization: int, role: str, zone: str = "UTC"
) -> Page:
    """Return the Messages tab of a member with this role, in a browser profile of their own."""
    name = f"{role}-{organization}"
    script = MEMBER.format(name=name, password=PASSWORD, organization=organization, role=role)
    application.manage("shell", "--no-imports", "-c", script)
    page = browser.new_context(timezone_id=zone).new_page()
    address = f"/admin/connections/connection/{organization}/messages/"
    page.goto(f"{application.url}admin/login/?next={address}")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{address}")
    return page


def test_newcomer_writes_as_a_customer_and_answers_on_a_small_dark_screen(
    browser: Browser, application: Application, organization: int
) -> None:
    visitor = Visitor(browser, application, width=390, dark=True)
    link(application, organization)
    page = open_messages(visitor, organization, place="#customer-text")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("No messages yet.")).to_be_visible()
    # The newcomer's card links there, into what is closed at first.
    expect(page.get_by_label("What Ana writes")).to_be_visible()
    page.get_by_label("What Ana writes").fill("Vocês abrem hoje?")
    page.get_by_role("button", name="Send as Ana").click()
    row = page.locator(".message-table tbody tr").first
    expect(row).to_contain_text("Received")
    talk = page.locator("[data-talk]")
    expect(talk.locator(".mine")).to_contain_text("Vocês abrem hoje?")
    expect(talk.locator('.ticks[data-ticks="2"]')).to_be_visible()

    page.get_by_role("button", name="Write to Ana").click()
    page.get_by_label("Text", exact=True).fill("Sim, das 8h às 18h.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("The message is in the queue.")).to_be_visible()
    expect(row.locator(".steps .now")).to_have_text(re.compile("^Read"))
    expect(talk.locator(".theirs")).to_contain_text("Sim, das 8h às 18h.")
    expect(page.locator(".figure").nth(0)).to_have_text("1 in")
    expect(page.locator(".figure").nth(1)).to_have_text("1 out")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_label("What Ana writes").press("Escape")
    expect(page.get_by_label("What Ana writes")).to_be_hidden()
    expect(page.locator("summary", has_text="Write as a customer")).to_be_focused()
    visitor.at_ease()
    visitor.context.close()


def test_open_page_shows_what_others_do_and_keeps_the_focus(
    visitor: Visitor, browser: Browser, application: Application, organization: int
) -> None:
    owner = log_in(browser, application, organization, "owner")
    page = open_messages(visitor, organization)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    write(owner, "+55 11 98765-4321", "Bom dia <b>")
    row = page.locator(".message-table tbody tr")
    expect(row).to_have_count(1)
    expect(page.get_by_text("1 message waits and goes out when it is connected.")).to_be_visible()
    row.locator("a").focus()
    write_again = owner.get_by_label("Text", exact=True)
    write_again.fill("Boa tarde")
    owner.get_by_role("button", name="Send", exact=True).click()
    expect(row).to_have_count(2)
    expect(row.nth(1).locator("a")).to_be_focused()
    expect(page.locator("[data-announcer]")).to_have_text("A new message.")
    # The administrator reads nothing, the owner everything, as text.
    expect(owner.locator(".preview").last).to_have_text("Bom dia <b>")
    assert "Bom dia" not in page.content()
    assert "98765" not in page.locator(".message-table").inner_html()
    visitor.at_ease()
    owner.context.close()


def test_administrator_reads_after_giving_a_reason(
    visitor: Visitor, browser: Browser, application: Application, organization: int
) -> None:
    owner = log_in(browser, application, organization, "owner")
    write(owner, "+55 11 98765-4321", "Só para a dona")
    page = open_messages(visitor, organization)
    expect(page.locator(".who")).to_have_text("•••• 4321")
    page.locator("summary", has_text="hidden from administrators").click()
    page.get_by_label("Why do you need to read them?").fill("The customer asked for help")
    page.get_by_role("button", name="Open for 30 minutes").click()
    expect(page.locator(".preview")).to_have_text("Só para a dona")
    owner.goto(f"{application.url}admin/organizations/auditentry/?organization={organization}")
    expect(owner.get_by_text("The customer asked for help")).to_be_visible()
    owner.context.close()


def test_message_has_one_time_on_both_pages(
    browser: Browser, application: Application, organization: int
) -> None:
    owner = log_in(browser, application, organization, "owner", "America/Sao_Paulo")
    write(owner, "+55 11 98765-4321", "Bom dia")
    time = owner.locator(".message-table .when time")
    expect(time).to_have_attribute("title", re.compile("GMT-3$"))
    shown = time.inner_text()
    time.click()
    expect(owner.locator(".facts time").first).to_have_text(shown)
    owner.context.close()


def test_viewer_sees_states_and_no_form(
    browser: Browser, application: Application, organization: int
) -> None:
    owner = log_in(browser, application, organization, "owner")
    write(owner, "+55 11 98765-4321", "Segredo")
    expect(owner.locator(".message-table tbody tr")).to_have_count(1)
    viewer = log_in(browser, application, organization, "viewer")
    expect(viewer.locator(".who")).to_have_text("•••• 4321")
    expect(viewer.locator(".state")).to_contain_text("Queued")
    assert "Segredo" not in viewer.content()
    expect(viewer.get_by_text("Write a message")).to_have_count(0)
    expect(viewer.get_by_text("Write as a customer")).to_have_count(0)
    for page in (owner, viewer):
        page.context.close()


def test_wrong_number_is_said_at_the_field_and_nothing_is_lost(
    visitor: Visitor, organization: int
) -> None:
    page = open_messages(visitor, organization)
    write(page, "98765", "Olá")
    number = page.get_by_label("To", exact=True)
    expect(page.get_by_text("Write the whole number with + and the country code")).to_be_visible()
    expect(number).to_be_focused()
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Text", exact=True)).to_have_value("Olá")
    number.fill("+55 11 98765-4321")
    expect(page.get_by_text("Write the whole number")).to_have_count(0)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".message-table tbody tr")).to_have_count(1)


def test_text_written_while_one_is_sent_or_its_answer_lost_is_kept(
    browser: Browser, application: Application, organization: int
) -> None:
    page = log_in(browser, application, organization, "owner")
    text = page.get_by_label("Text", exact=True)
    send = page.get_by_role("button", name="Send", exact=True)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    def lose_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/messages/send/", hold)
    with page.expect_request("**/messages/send/"):
        write(page, "+55 11 98765-4321", "Bom dia")
    text.fill("Tudo bem?")
    page.get_by_label("To", exact=True).focus()
    held[0].continue_()
    expect(page.get_by_text("The message is in the queue.")).to_be_visible()
    expect(text).to_have_value("Tudo bem?")
    expect(page.get_by_label("To", exact=True)).to_be_focused()

    page.unroute("**/messages/send/")
    page.route("**/messages/send/", lose_answer)
    send.click()
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    page.unroute("**/messages/send/")
    text.fill("Até amanhã")
    send.click()
    expect(page.get_by_text("Press Send to send this one, too.")).to_be_visible()
    send.click()
    expect(text).to_have_value("")
    expect(text).to_be_focused()
    rows = page.locator(".message-table tbody .preview")
    expect(rows).to_have_text(["Até amanhã", "Tudo bem?", "Bom dia"])
    page.context.close()


def test_pages_work_without_javascript(
    browser: Browser, application: Application, organization: int
) -> None:
    visitor = Visitor(browser, application, javascript=False)
    page = open_messages(visitor, organization)
    assert "This page cannot update itself without JavaScript" in page.content()
    write(page, "98765", "Olá")
    expect(page.get_by_text("Write the whole number with + and the country code")).to_be_visible()
    expect(page.get_by_label("Text", exact=True)).to_have_value("Olá")
    page.get_by_label("To", exact=True).fill("+55 11 98765-4321")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("The message is in the queue.")).to_be_visible()
    page.get_by_role("link", name="Discard…").click()
    expect(page.get_by_role("heading", name="Discard 1 waiting message?")).to_be_visible()
    page.get_by_role("button", name="Discard 1 message").click()
    expect(page.get_by_text("1 message was discarded.")).to_be_visible()
    page.locator(".message-table .when a").click()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("The message is in the queue once more.")).to_be_visible()
    visitor.context.close()


def test_fleet_shows_what_waits_and_leads_to_the_messages(
    visitor: Visitor, application: Application, organization: int
) -> None:
    number = link(application, organization)
    application.simulator.unlink(number=number)
    application.wait_for_state(organization, "action_needed")
    until(lambda: not online(application, number), 10, "a number that is offline")
    page = open_messages(visitor, organization)
    write(page, "+55 11 98765-4321", "Olá")
    expect(page.locator(".message-table tbody tr")).to_have_count(1)
    page.goto(f"{application.url}admin/connections/")
    row = page.locator(f'[data-section="action_needed"] [data-organization="{organization}"]')
    expect(row).to_contain_text("1 message waits")
    page.locator("[data-traffic] a", has_text="waiting").click()
    page.get_by_role("link", name="fleet_shows_what_waits").click()
    expect(page.locator(".filters [aria-current]")).to_have_text("Waiting")
    expect(page.locator(".message-table tbody tr")).to_have_count(1)
    visitor.at_ease()


def test_line_of_the_fleet_is_kept_up_to_date(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.page
    page.clock.install()
    page.goto(f"{application.url}admin/connections/")
    waiting = page.locator("[data-traffic] a", has_text="waiting").locator("strong")
    before = int(waiting.inner_text())
    other = open_messages(visitor, organization, visitor.new_page())
    write(other, "+55 11 98765-4321", "Olá")
    expect(other.locator(".message-table tbody tr")).to_have_count(1)
    page.clock.fast_forward(16_000)
    expect(waiting).to_have_text(str(before + 1))
    consequences = json.loads(page.locator("#message-consequences").inner_text())
    assert consequences[str(organization)] == "1 message waits"


FULL_LOG = """
from messaging.tests.support.rows import make_message
from organizations.models import Organization
organization = Organization.objects.get(pk={organization})
for place in range(50):
    make_message(organization, str(place))
"""


def test_show_earlier_goes_on_where_a_page_left_open_ends(
    visitor: Visitor, browser: Browser, application: Application, organization: int
) -> None:
    application.manage("shell", "--no-imports", "-c", FULL_LOG.format(organization=organization))
    page = log_in(browser, application, organization, "owner")
    expect(page.locator(".message-table tbody tr")).to_have_count(50)
    earlier = page.get_by_role("link", name="Show earlier")
    expect(earlier).to_have_count(0)
    write(page, "+55 11 98765-4321", "Bom dia")
    expect(page.locator(".message-table tbody tr").first).to_contain_text("Bom dia")
    fresh = open_messages(visitor, organization).get_by_role("link", name="Show earlier")
    expect(earlier).to_have_attribute("href", fresh.get_attribute("href") or "")
    page.context.close()
