"""The page that shows a new API token, in a real browser: once, and never again."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import assert_accessible
from tests.browser.visitor import Visitor, press
from tests.support.application import Application


@pytest.fixture
def visitor(visitor: Visitor) -> Visitor:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return visitor


def make(visitor: Visitor, name: str) -> str:
    """Fill in the form. Returns the token that the page shows."""
    page = visitor.page
    page.goto(f"{visitor.application.url}admin/organizations/apitoken/add/")
    page.get_by_label("Name:").fill(name)
    page.get_by_label("All that you may see").check()
    page.get_by_role("button", name="Save").click()
    shown = page.locator("[data-token]")
    expect(shown).to_be_visible()
    return shown.inner_text()


def listed(page: Page, name: str) -> int:
    return page.locator("#result_list td", has_text=name).count()


def test_button_copies_the_token(visitor: Visitor) -> None:
    token = make(visitor, "To be copied")
    assert token.startswith("wao_")
    visitor.page.get_by_role("button", name="Copy").click()
    expect(visitor.page.get_by_text("Copied.")).to_be_visible()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == token
    visitor.at_ease()


def test_form_says_what_the_token_may_do_while_it_is_filled_in(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.application.url}admin/organizations/apitoken/add/")
    may = page.locator(".token-sentences li:visible")
    assert may.all_inner_texts() == [
        "It opens one organization, and nothing of any other.",
        "It reads states and history. It cannot connect, disconnect or change settings.",
        "It neither sends nor reads messages.",
        "Days until it ends by itself: 90.",
    ]
    page.get_by_label("All that you may see").check()
    expect(page.locator(".field-organization")).to_be_hidden()
    page.get_by_label("Scope").select_option("manage")
    page.get_by_label("Sends messages").check()
    page.get_by_label("Expires in days").fill("7")
    assert may.all_inner_texts()[2:] == [
        "It sends messages, and reads none.",
        "Days until it ends by itself: 7.",
    ]
    page.get_by_label("Expires in days").fill("")
    assert may.last.inner_text().startswith("It never ends by itself")
    visitor.at_ease()


def test_organization_is_found_without_a_mouse(visitor: Visitor, application: Application) -> None:
    application.new_organizations(*(f"Açaí number {number}" for number in range(12)))
    page = visitor.page
    page.goto(f"{application.url}admin/organizations/apitoken/add/")
    page.get_by_label("Name:").fill("Found")
    page.get_by_label("One organization").focus()
    page.keyboard.press("Tab")
    search = page.get_by_role("searchbox", name="Search by name")
    expect(search).to_be_focused()
    # Fields of one form look alike, and nothing is chosen from the beginning.
    expect(search).to_have_css("border-radius", "4px")
    assert page.locator("#id_organization").input_value() == ""
    expect(page.locator('#id_organization option[value=""]')).to_have_count(0)
    page.keyboard.type("ACAI 1")
    choice = page.get_by_label("Organization:")
    expect(page.locator(".found")).to_have_text("Found: 3")
    page.keyboard.press("ArrowDown")
    expect(choice).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(choice.locator("option:checked")).to_have_text("Açaí number 10")
    # What is chosen stays, and Enter in the search chooses and does not save.
    search.fill("acai 7")
    assert choice.locator("option").all_inner_texts() == ["Açaí number 10", "Açaí number 7"]
    search.press("Enter")
    expect(choice).to_be_focused()
    expect(choice.locator("option:checked")).to_have_text("Açaí number 7")
    assert_accessible(page)
    press(page, "Save")
    expect(page.locator(".new-token")).to_contain_text("Açaí number 7")
    visitor.at_ease()


def test_reload_does_not_show_or_create_a_token(visitor: Visitor) -> None:
    token = make(visitor, "Shown once")
    page = visitor.page
    # Until the script has run, the browser would ask whether to submit the form once more.
    expect(page).to_have_url(re.compile(r"/apitoken/$"))
    page.reload()
    expect(page.locator("#result_list")).to_be_visible()
    assert listed(page, "Shown once") == 1
    for go in (page.go_back, page.go_forward):
        go()
        page.wait_for_load_state()
        assert token not in page.content()
    assert token not in visitor.application.log_text()
    visitor.at_ease()
