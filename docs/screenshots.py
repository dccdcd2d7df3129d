"""`make screenshots`: takes the pictures of the documentation from the running product."""

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.application import Application
from tests.browser import Visitor, launch, panel

IMAGES = Path(__file__).resolve().parent / "images"


def take(page: Page, name: str) -> None:
    """The page from its top down to the end of the history."""
    page.mouse.move(0, 0)
    line = page.locator("[data-history] li").last.bounding_box()
    assert line is not None
    height = line["y"] + line["height"] + 16
    page.screenshot(
        path=IMAGES / name,
        full_page=True,
        clip={"x": 0, "y": 0, "width": 1280, "height": height},
        animations="disabled",
    )
    print(IMAGES / name)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Application(Path(folder) / "data") as application,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        organizations = {found["name"]: found["id"] for found in application.facts["organizations"]}
        page = Visitor(browser, application).open(organizations["Padaria Estrela"])
        page.get_by_role("button", name="Reconnect").click()
        # Some way into its minute, so that the ring shows what it is.
        expect(page.get_by_text("48 s left")).to_be_visible()
        take(page, "connection.png")
        page.get_by_role("button", name="Scan with the simulated phone").click()
        expect(panel(page, "connected")).to_be_visible()
        take(page, "connection-connected.png")
        browser.close()


if __name__ == "__main__":
    main()
