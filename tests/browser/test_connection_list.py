"""The list in a real Chromium: rows that change in place, and many reconnected at once."""

from __future__ import annotations

from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import assert_accessible
from tests.browser.visitor import BOTH_WIDTHS, Visitor
from tests.support.application import Application
from tests.support.linking import link


def open_list(page: Page, application: Application, **query: str) -> Page:
    page.goto(f"{application.url}admin/connections/connection/?{urlencode(query)}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def row(page: Page, name: str) -> Locator:
    return page.locator("#result_list tbody tr").filter(has_text=name)


@BOTH_WIDTHS
def test_bulk_actions_reconnect_and_disconnect(
    visitor: Visitor, application: Application, width: int
) -> None:
    bulk = f"Bulk{width}"
    names = [f"{bulk} {word}" for word in ("one", "two", "three")]
    organizations = application.new_organizations(*names)
    first, second, unlinked = names
    numbers = [link(application, organization) for organization in organizations[:2]]
    watching = open_list(visitor.new_page(), application, q=bulk)
    expect(row(watching, first)).to_contain_text("WhatsApp is connected.")
    connected = open_list(visitor.page, application, q=bulk, state="connected")
    expect(connected.locator("#result_list tbody tr")).to_have_count(2)

    for number in numbers:
        application.simulator.arm("replaced", number=number)
    for name in (first, second):
        expect(row(watching, name)).to_contain_text("Another program took over")
        expect(row(connected, name)).to_contain_text("No longer matches the filter")
    expect(watching.get_by_text("No longer matches the filter")).to_have_count(0)

    page = open_list(visitor.page, application, q=bulk)
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Reconnect…").click()
    expect(page.get_by_text("Needs the phone: 1")).to_be_visible()
    page.get_by_role("button", name="Reconnect: 2 organizations").click()
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    expect(
        page.get_by_text("3 ticked: 2 reconnected, 1 needs its phone", exact=True)
    ).to_be_visible()
    expect(page.locator("progress")).to_have_js_property("value", 3)
    expect(page.get_by_role("row").filter(has_text=unlinked)).to_contain_text("has to scan a code")
    for name in (first, second):
        expect(row(watching, name)).to_contain_text("WhatsApp is connected.")

    watching.locator("#action-toggle").check()
    watching.get_by_role("button", name="Disconnect…").click()
    expect(watching.get_by_text("cannot be undone")).to_be_visible()
    watching.get_by_role("button", name="Disconnect: 2 organizations").click()
    expect(
        watching.get_by_text("3 ticked: 2 disconnected, 1 has nothing to disconnect", exact=True)
    ).to_be_visible()
    for organization in organizations:
        assert not application.has_credentials(organization)
    visitor.at_ease()


def test_focus_stays_at_the_filter_and_at_the_outcome_of_a_form(
    visitor: Visitor, application: Application
) -> None:
    page = open_list(visitor.page, application)
    chosen = page.locator("#changelist-filter").get_by_role("link", name="Never linked")
    chosen.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**state=never_linked**")
    expect(chosen).to_be_focused()
    count = page.locator(".paginator").inner_text().split()[0]
    expect(page.locator("p.visually-hidden[role=status]").last).to_contain_text(count)

    page.goto(
        f"{application.url}admin/organizations/organization/{application.organization()}/change/"
    )
    page.get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_be_focused()


@BOTH_WIDTHS
def test_phones_are_linked_one_after_the_other_or_by_their_owners(
    visitor: Visitor, application: Application, width: int
) -> None:
    names = [f"Queue{width} {word}" for word in ("one", "three", "two")]
    application.new_organizations(*names)
    page = open_list(visitor.page, application, q=f"Queue{width}")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Reconnect…").click()
    page.get_by_role("button", name="One after the other").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(names[0])
    page.get_by_role("button", name="Scan with the simulated phone").click()
    # It goes on by itself.
    expect(page.get_by_role("heading", level=1)).to_have_text(names[1])
    expect(page.get_by_role("heading", name="One after the other: 2 of 3")).to_be_visible()
    expect(page.locator("[data-qr][src]")).to_be_visible()
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(names[2])
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("3 in the queue: 1 connected, 2 not.")).to_be_visible()
    assert_accessible(page)

    page.get_by_role("button", name="Links for owners…").click()
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_text("shown only this once")).to_be_visible()
    assert_accessible(page)
    shown = page.locator(".bulk-links code").all_inner_texts()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    lines = download.value.path().read_text("utf-8-sig").splitlines()
    assert [line.split(",")[2] for line in lines] == ["Link", *shown]
    page.reload()
    expect(page.get_by_text("The links were made already.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Replace them by new links…").click()
    expect(page.get_by_text("Have a link that still works: 2")).to_be_visible()
    assert_accessible(page)
    visitor.at_ease()
