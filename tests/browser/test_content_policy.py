"""The policy of what pages may load lets every page of the admin work as it should."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.support.application import Application

# test_accessibility.py visits the others, and notices a violation in the console as well.
PAGES = [
    *("admin/password_change/", "admin/second-factor/"),
    *("admin/auth/user/", "admin/auth/user/add/"),
]


def test_no_page_violates_the_policy(visitor: Visitor, application: Application) -> None:
    page = visitor.page
    for path in PAGES:
        answer = page.goto(application.url + path)
        assert answer is not None and answer.status == 200, path
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
        expect(page.locator("#content")).to_be_visible()
    visitor.at_ease()


def test_injected_script_is_not_run(visitor: Visitor, application: Application) -> None:
    page = visitor.page
    page.goto(f"{application.url}admin/")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'taken over'";
            document.body.append(script);
            const style = document.createElement("img");
            style.setAttribute("onerror", "document.title = 'taken over'");
            style.src = "data:,";
            document.body.append(style);
        }"""
    )
    expect(page).not_to_have_title("taken over")
    assert visitor.errors and all("Content Security Policy" in said for said in visitor.errors)
