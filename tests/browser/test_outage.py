"""Every live page tells of a dead server and recovers; one product dies under all of them."""

from __future__ import annotations

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.test_accessibility import CONNECTION
from tests.browser.visitor import Visitor, ask_to_disconnect, panel, press, qr_code
from tests.support.application import Application


def live_sign(page: Page) -> Locator:
    return page.get_by_text("Live", exact=True)


def banner(page: Page) -> Locator:
    return page.get_by_role("alert").filter(has_text="Live updates are interrupted")


def stage(page: Page, name: str) -> Locator:
    """The page for the phone's owner, once it shows this."""
    return page.locator(f'#owner[data-stage="{name}"]')


def test_every_live_page_shows_an_outage_and_recovers(
    browser: Browser, own_application: Application
) -> None:
    visitor = Visitor(browser, own_application)
    connected, linking = own_application.organization(0), own_application.organization(1)
    page = visitor.open(connected)
    press(page, "Reconnect")
    press(page, "Scan with the simulated phone")
    expect(panel(page, "connected")).to_be_visible()

    staff = visitor.open(linking, visitor.new_page())
    press(staff, "Copy a link for the phone's owner")
    expect(staff.locator("[data-url]")).not_to_have_value("")
    phone = visitor.context.new_page()
    phone.goto(staff.locator("[data-url]").input_value())
    press(phone, "Connect WhatsApp")
    expect(stage(phone, "qr")).to_be_visible()
    picture = phone.get_by_role("img", name="QR code")
    first = picture.get_attribute("src") or ""

    staff.goto(own_application.url + CONNECTION)
    messages, fleet = visitor.new_page(), visitor.new_page()
    messages.goto(f"{own_application.url}{CONNECTION}{connected}/messages/")
    fleet.goto(f"{own_application.url}admin/connections/")
    for each in (page, staff, messages, fleet):
        expect(live_sign(each)).to_be_visible()
    visitor.at_ease()

    own_application.kill()
    for each in (page, messages, fleet):
        expect(banner(each)).to_be_visible()
    for each in (messages, staff):
        expect(live_sign(each)).to_be_hidden()
    expect(phone.get_by_text("comes back by itself")).to_be_visible()
    ask_to_disconnect(page)
    press(page, "Disconnect")
    expect(page.get_by_text("The server cannot be reached.")).to_be_visible()

    own_application.start()
    for each in (page, messages, fleet):
        expect(banner(each)).to_be_hidden()
    for each in (page, messages, staff):
        expect(live_sign(each)).to_be_visible()
    expect(panel(page, "connected")).to_be_visible()
    (late,) = own_application.new_organizations("Came meanwhile")
    line = f'section[data-section="never_linked"] [data-organization="{late}"]'
    expect(fleet.locator(line)).to_be_attached()

    # The code of the process that died is worth nothing; the page has the new one by itself.
    expect(phone.get_by_text("comes back by itself")).to_be_hidden()
    expect(stage(phone, "qr")).to_be_visible()
    expect(picture).not_to_have_attribute("src", first)
    own_application.simulator.scan(qr_code(phone))
    expect(stage(phone, "done")).to_be_visible()
    row = staff.locator(f'tr:has([data-organization="{linking}"])')
    expect(row).to_contain_text("Connected")

    # WhatsApp goes away, too: one alarm, and a task for nobody.
    own_application.simulator.arm("refuse_tcp")
    own_application.simulator.drop()
    alarms = [each.locator("[data-outages]") for each in (fleet, staff)]
    for alarm in alarms:
        expect(alarm).to_contain_text("WhatsApp cannot be reached from this server. 2 wait")
    expect(fleet.locator('.fleet-counts [data-count="action_needed"]')).to_have_text("0")
    own_application.simulator.clear_faults()
    for alarm in alarms:
        expect(alarm).to_be_hidden()
    visitor.context.close()
