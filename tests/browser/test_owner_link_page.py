"""The link for the phone's owner in a real Chromium: staff copy it, a phone uses it, once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.visitor import BOTH_WIDTHS, WAIT_MILLISECONDS, Visitor, qr_code
from tests.support.application import Application, until

NUMBER, NUMBER_TEXT = "5511985550188", "+55 11 98555-0188"
OTHER_SPELLING, OTHER_SPELLING_TEXT = "551185550188", "+55 11 8555-0188"
RIGHT, RIGHT_TEXT, WRONG = "5511985550177", "+55 11 98555-0177", "5511985550199"
GONE = "This link is no longer valid. Ask for a new one."


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    # One that says all it can say, to see that no secret is among it.
    with Application(tmp_path_factory.mktemp("owner") / "data", LOG_LEVEL="DEBUG") as application:
        yield application


class Phone:
    """The browser of the phone's owner: no login, a screen of its own, and whatever goes wrong."""

    def __init__(self, browser: Browser, *, width: int = 360, **options: object) -> None:
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": 780},
            **options,  # type: ignore[arg-type]
        )
        self.context.set_default_timeout(WAIT_MILLISECONDS)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda said: self.wrong.append(said.text))
        self.page.on("request", lambda request: self.asked.append(str(request.all_headers())))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def at_ease(self) -> None:
        assert self.wrong == []


def copied_link(staff: Visitor, organization: int) -> str:
    """A link, made on the connection page."""
    page = staff.open(organization)
    page.get_by_role("button", name="Copy a link for the phone's owner").click()
    field = page.get_by_label("The link. It is shown only this once.")
    expect(field).to_have_value(re.compile("/link/#[0-9a-f]{40}$"))
    expect(page.get_by_text("The link has not been opened yet.")).to_be_visible()
    return field.input_value()


def follow(page: Page, url: str) -> None:
    """Open the link. Its script goes on from there before the page has loaded."""
    page.goto(url, wait_until="commit")


def stage(page: Page, name: str) -> None:
    expect(page.locator(f'#owner[data-stage="{name}"]')).to_be_visible()


def typed(page: Page) -> str:
    shown = page.locator("[data-code]")
    expect(shown).to_have_text(re.compile("^[0-9A-Z]{4}-[0-9A-Z]{4}$"))
    return shown.inner_text()


def test_typed_code_links_the_phone_and_uses_up_the_link(
    browser: Browser, application: Application
) -> None:
    organization, staff = application.organization(), Visitor(browser, application)
    url = copied_link(staff, organization)
    secret = url.partition("#")[2]
    phone, other = Phone(browser), Phone(browser)
    for one in (phone, other):
        follow(one.page, url)
        stage(one.page, "ready")
        # The secret is in no address, neither now nor after a reload or a step back.
        assert one.page.url == f"{application.url}link/"
    assert application.api("GET", organization, "status").body["reason"] == "never_connected"

    page = phone.page
    page.get_by_role("button", name="Connect WhatsApp").press("Enter")
    stage(page, "qr")
    # Each form loads the page again, and the keyboard goes on from what came of it.
    expect(page.locator("[data-sentence]")).to_be_focused()
    expect(staff.page.locator("[data-owner-linking]")).to_contain_text("QR code is on their screen")
    # Who only looked is shown out at once.
    expect(other.page.get_by_text(GONE)).to_be_visible()
    page.reload()
    stage(page, "qr")
    number = page.get_by_role("textbox", name="Phone number with country code")
    number.fill("12")
    number.press("Enter")
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(number).to_be_focused()
    number.fill(f"+{NUMBER}")
    page.get_by_role("button", name="Link with phone number").click()
    stage(page, "typed")
    first = typed(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # No message came, so WhatsApp is asked for the number's other spelling, and then for the first.
    for shown in (OTHER_SPELLING_TEXT, NUMBER_TEXT):
        page.get_by_role("button", name="Try that number").click()
        expect(staff.page.locator('[data-field="phoneNumberText"]')).to_have_text(shown)
        stage(page, "typed")
    expect(page.locator("[data-code]")).not_to_have_text(first)
    code = typed(page)
    assert not [hidden for hidden in (NUMBER, OTHER_SPELLING) if hidden in page.content()]
    application.simulator.enter_code(NUMBER, code.replace("-", ""))
    expect(page.get_by_text("Done. WhatsApp is connected.")).to_be_visible()
    page.reload()
    stage(page, "done")

    assert application.wait_for_state(organization, "connected")["number"] == NUMBER
    # A connected organization needs no link; the page hides the button without a reload.
    expect(staff.page.locator("[data-make]")).to_be_hidden()
    follow(other.page, url)
    expect(other.page.get_by_text(GONE)).to_be_visible()
    assert not [line for line in phone.asked if f"#{secret}" in line]
    assert {urlsplit(line).netloc for line in phone.asked if line.startswith("http")} == {
        urlsplit(application.url).netloc
    }
    assert "400 (Bad Request)" in phone.wrong.pop(0), "the refused number"
    phone.at_ease()
    log = application.log_text()
    assert "django.request: Gone" in log
    assert not [hidden for hidden in (secret, code, NUMBER) if hidden in log]
    history = application.request("GET", f"/api/v1/organizations/{organization}/events").body
    told = [(line["event"], line["actor"]) for line in history["results"]]
    owner = "the phone's owner (link by admin)"
    for line in [
        ("owner_link_made", "admin"),
        *(("owner_link_opened", owner), ("owner_link_used", owner)),
        ("reconnect_requested", owner),
    ]:
        assert line in told
    for each in (phone.context, other.context, staff.context):
        each.close()


def test_tablet_without_javascript_links_by_scan(
    browser: Browser, application: Application
) -> None:
    organization, staff = application.organization(1), Visitor(browser, application)
    url = copied_link(staff, organization)
    tablet = Phone(browser, width=820, java_script_enabled=False, color_scheme="dark")
    page = tablet.page
    page.goto(url)
    page.get_by_role("textbox", name="Paste the whole link that you were sent").fill(url)
    page.get_by_role("button", name="Open").click()
    stage(page, "ready")
    page.get_by_role("button", name="Connect WhatsApp").click()

    def scanned() -> bool:
        # The page loads itself again now and then; until then this is how it goes on.
        page.goto(f"{application.url}link/")
        return page.get_by_role("img", name="QR code").is_visible()

    until(scanned, 20, "a QR code")
    application.simulator.scan(qr_code(page))
    application.wait_for_state(organization, "connected")
    page.goto(f"{application.url}link/")
    stage(page, "done")
    tablet.context.close()
    staff.context.close()


@BOTH_WIDTHS
def test_wrong_phone_cancels_and_tries_again_under_the_same_link(
    browser: Browser, application: Application, width: int
) -> None:
    (organization,) = application.new_organizations(f"Padaria {width}")
    staff = Visitor(browser, application, width=width)
    path = f"/api/v1/organizations/{organization}"
    application.request("PATCH", path, body={"expectedNumber": f"+{RIGHT}"})
    phone = Phone(browser, width=390, has_touch=True, is_mobile=True)
    page = phone.page
    follow(page, copied_link(staff, organization))
    # A phone cannot scan itself: its number comes first, and is known already.
    expect(page.get_by_role("button", name="Link with phone number")).to_be_visible()
    page.get_by_role("button", name="WhatsApp is on another phone").click()
    stage(page, "qr")
    application.simulator.scan(qr_code(page), number=WRONG)
    expect(page.get_by_text("That phone has another number")).to_be_visible()
    expect(staff.page.locator("[data-link-sentence]")).to_contain_text("another number than")
    expect(staff.page.get_by_text("Only this number can be linked")).to_contain_text(RIGHT_TEXT)
    expect(staff.page.locator("[data-owner-linking]")).to_be_hidden()
    page.get_by_role("button", name="Try again").click()
    stage(page, "qr")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Linking was cancelled. No phone was linked.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    stage(page, "qr")
    application.simulator.scan(qr_code(page), number=RIGHT)
    stage(page, "done")
    expect(staff.page.locator("[data-link-sentence]")).to_have_text(
        "The link was used: the phone is linked."
    )
    assert not [end for end in (RIGHT[-4:], WRONG[-4:]) if end in page.content()]
    phone.at_ease()
    # The test of the other width links this number.
    application.api("DELETE", organization, "disconnect")
    application.wait_for_state(organization, "disconnected")
    for each in (phone.context, staff.context):
        each.close()


def test_refusal_stays_until_something_else_is_shown(
    browser: Browser, application: Application
) -> None:
    (organization,) = application.new_organizations("Botica")
    staff, phone = Visitor(browser, application), Phone(browser)
    page = phone.page
    follow(page, copied_link(staff, organization))
    stage(page, "ready")
    application.manage("shell", "-c", TIRED.format(organization=organization))
    page.get_by_role("button", name="Connect WhatsApp").click()
    refusal = page.get_by_text(re.compile(r"^Too many attempts\. Try again in \d+ min"))
    interrupted = page.get_by_text("The connection to the server is interrupted.")
    expect(refusal).to_be_visible()
    phone.context.set_offline(True)
    expect(interrupted).to_be_visible()
    phone.context.set_offline(False)
    # Only a message of the socket hides it.
    expect(interrupted).to_be_hidden()
    expect(refusal).to_be_visible()
    for each in (phone.context, staff.context):
        each.close()


# As many reconnects as an organization may begin in ten minutes.
TIRED = """
from django.conf import settings
from connections.models import ConnectionEvent
for _ in range(settings.RECONNECTS_PER_ORGANIZATION):
    ConnectionEvent.objects.create(
        connection_id={organization}, observation="reconnect_requested",
        state_before="disconnected", state="disconnected", reason="disconnected",
    )
"""


def test_code_that_is_not_replaced_is_covered_when_it_expires(
    browser: Browser, application: Application
) -> None:
    (organization,) = application.new_organizations("Quitanda")
    staff, phone = Visitor(browser, application), Phone(browser)
    page = phone.page
    page.clock.install()
    follow(page, copied_link(staff, organization))
    page.get_by_role("button", name="Connect WhatsApp").click()
    stage(page, "qr")
    expired = page.get_by_text("This code has expired.").filter(visible=True)
    # Without a server nothing replaces it.
    phone.context.set_offline(True)
    expect(page.get_by_text("The connection to the server is interrupted.")).to_be_visible()
    expect(expired).to_have_count(0)
    page.clock.fast_forward(61_000)
    expect(expired).to_be_visible()
    expect(page.locator("[data-qr]")).to_have_css("opacity", "0.08")
    phone.context.set_offline(False)
    expect(expired).to_have_count(0)
    expect(page.locator("[data-qr]")).to_have_css("opacity", "1")
    for each in (phone.context, staff.context):
        each.close()


def test_revoked_link_closes_the_page_and_voids_the_code(
    browser: Browser, application: Application
) -> None:
    organization, staff = application.organization(2), Visitor(browser, application)
    phone = Phone(browser)
    follow(phone.page, copied_link(staff, organization))
    phone.page.get_by_role("button", name="Connect WhatsApp").click()
    stage(phone.page, "qr")
    staff.page.get_by_role("button", name="Revoke the link").click()
    expect(phone.page.get_by_text(GONE)).to_be_visible()
    body = application.wait_for_state(organization, "disconnected")
    assert body["reason"] == "pairing_cancelled"
    staff.at_ease()
    phone.context.close()
    staff.context.close()
