"""The frame of the admin's pages: the search, the menu and the lists, on small screens too."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.browser.visitor import BOTH_WIDTHS, Visitor
from tests.support.application import Application
from tests.support.linking import link

LIST = "admin/connections/connection/"


@BOTH_WIDTHS
def test_slash_finds_an_organization_whose_state_the_title_tells(
    visitor: Visitor, application: Application, width: int
) -> None:
    (organization,) = application.new_organizations(f"Farmácia Única {width}")
    page = visitor.page
    page.goto(f"{application.url}admin/connections/")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Find an organization")).to_be_focused()
    page.keyboard.type(f"{width} unica farmacia/")
    expect(page.get_by_role("searchbox")).to_have_value(f"{width} unica farmacia/")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile(f" – Farmácia Única {width}$"))
    expect(page).to_have_url(re.compile(f"/{organization}/change/"))

    # Pages that nobody looks at tell it in their titles.
    fleet, listed = visitor.new_page(), visitor.new_page()
    fleet.goto(f"{application.url}admin/")
    listed.goto(f"{application.url}{LIST}?q=unica+{width}")
    for other in (fleet, listed):
        expect(other.get_by_text("Live", exact=True)).to_be_visible()
    before = fleet.title()
    number = link(application, organization)
    expect(page).to_have_title(f"Connected – Farmácia Única {width}")
    application.simulator.unlink(number=number)
    expect(page).to_have_title(f"Needs action – Farmácia Única {width}")
    known = re.match(r"\((\d+)\) ", before)
    count = (int(known[1]) if known else 0) + 1
    for other in (fleet, listed):
        expect(other).to_have_title(re.compile(rf"^\({count}\) .*[cC]onnections"))
    visitor.at_ease()


def test_menus_are_left_by_escape_and_give_the_focus_back(
    visitor: Visitor, application: Application, organization: int
) -> None:
    page = visitor.page
    page.goto(f"{application.url}{LIST}{organization}/messages/")
    menu = page.locator("#user-tools .languages")
    button, form = menu.locator("summary"), menu.get_by_role("button", name="Español")
    button.focus()
    page.keyboard.press("Enter")
    expect(form).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(form).to_be_hidden()
    expect(button).to_be_focused()
    # It covers the page, so it does not stay open behind the focus.
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(form).to_be_hidden()

    # So are forms that unfold, and what was written stays.
    writing = page.locator("[data-write] > summary")
    writing.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("To", exact=True)).to_be_focused()
    page.keyboard.type("5511")
    page.keyboard.press("Escape")
    expect(writing).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("To", exact=True)).to_have_value("5511")
    visitor.at_ease()


def test_small_screen_has_menu_filter_and_bulk_buttons_in_reach(
    browser: Browser, application: Application
) -> None:
    application.new_organizations(*(f"Small {number}" for number in range(9)))
    visitor = Visitor(browser, application, width=390)
    page = visitor.page
    page.goto(f"{application.url}{LIST}?q=Small")
    menu, filters = (page.get_by_role("navigation", name=name) for name in ("Menu", "Filter"))
    expect(menu.get_by_role("link")).to_have_count(0)
    expect(filters).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == 390

    page.locator("#result_list tbody tr").last.scroll_into_view_if_needed()
    button = page.get_by_role("button", name="Reconnect…")
    expect(button).to_be_in_viewport()
    # It is seen before the list, and the keyboard comes to it there.
    page.locator("#searchbar").focus()
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".list-filter > summary")).to_be_focused()
    # What sorts the list has no room, but is seen while it has the focus.
    sorting = page.locator("#result_list th.column-state_now")
    assert sorting.evaluate("each => getComputedStyle(each).clipPath") != "none"
    sorting.get_by_role("link").focus()
    assert sorting.evaluate("each => getComputedStyle(each).clipPath") == "none"
    page.locator(".list-filter > summary").focus()
    page.keyboard.press("Enter")
    state = filters.get_by_role("link", name="Disconnected")
    assert state.bounding_box()["y"] < page.locator("#result_list").bounding_box()["y"]  # type: ignore[index]
    state.click()
    expect(page).to_have_url(re.compile("state=disconnected"))
    page.locator(".site-menu summary").click()
    menu.get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="Connection events")).to_be_visible()

    # Others have both before their eyes.
    page.set_viewport_size({"width": 1280, "height": 500})
    page.goto(f"{application.url}{LIST}?q=Small")
    expect(menu.get_by_role("link", name="History")).to_be_visible()
    expect(filters.get_by_role("link", name="Disconnected")).to_be_visible()
    page.locator("#result_list tbody tr").last.scroll_into_view_if_needed()
    expect(button).to_be_in_viewport()
    visitor.at_ease()
    visitor.context.close()
