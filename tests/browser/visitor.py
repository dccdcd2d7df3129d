"""A person at a real browser: logs in, opens pages, and notices whatever goes wrong there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    StorageState,
    expect,
)

from tests.browser.chromium import find_chromium
from tests.support.application import Application
from tests.support.qr_reading import read

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MILLISECONDS = 20_000
# Roads that people take on both: the fixture `width` is 1280 for all other tests.
BOTH_WIDTHS = pytest.mark.parametrize("width", [1280, 390])
# Cookies of the login at each product, by its token: the next visitor needs no login.
_sessions: dict[str, StorageState] = {}


def launch(playwright: Playwright) -> Browser:
    """A Chromium that talks to no one but us."""
    expect.set_options(timeout=WAIT_MILLISECONDS)
    return playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)


class Visitor:
    """Someone who is logged in to the admin, in a browser profile of their own."""

    def __init__(
        self,
        browser: Browser,
        application: Application,
        *,
        javascript: bool = True,
        width: int = 1280,
        dark: bool = False,
    ) -> None:
        self.application = application
        self.context = browser.new_context(
            storage_state=_sessions.get(application.facts["token"]),
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            # Endless animations keep a core busy, as a browser without a GPU draws each frame.
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(WAIT_MILLISECONDS)
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.page = self.new_page()
        if application.facts["token"] not in _sessions:
            self._log_in()

    def _log_in(self) -> None:
        self.page.goto(f"{self.application.url}admin/")
        self.page.get_by_label("Username").fill(self.application.facts["username"])
        self.page.get_by_label("Password").fill(self.application.facts["password"])
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/admin/")
        _sessions[self.application.facts["token"]] = self.context.storage_state()

    def log_out(self, page: Page) -> None:
        """Log out on a page: the next visitor logs in again."""
        press(page, "Log out")
        del _sessions[self.application.facts["token"]]

    def new_page(self) -> Page:
        """Another tab."""
        page = self.context.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))
        return page

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _asked(self, url: str) -> None:
        if host := urlsplit(url).netloc:  # A data URL has none.
            self.hosts.add(host)

    def open(self, organization: int, page: Page | None = None) -> Page:
        """The live page of an organization."""
        page = page or self.page
        page.goto(f"{self.application.url}admin/connections/connection/{organization}/change/")
        return page

    def at_ease(self) -> None:
        """Nothing went wrong in the browser, and no other server was asked for anything."""
        assert self.errors == []
        assert self.hosts == {urlsplit(self.application.url).netloc}


def panel(page: Page, name: str) -> Locator:
    """What the page shows large, once it is this."""
    return page.locator(f'#connection[data-panel="{name}"]')


def qr_code(page: Page) -> str:
    """What the QR code on the screen says, read from its pixels as a phone would."""
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    return read(picture.screenshot())


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def ask_to_disconnect(page: Page) -> None:
    """Press the button that asks before it disconnects."""
    page.get_by_text("More", exact=True).click()
    press(page, "Disconnect…")


def digits(page: Page) -> str:
    """The number that the page shows as connected."""
    return re.sub(r"\D", "", page.locator('[data-field="emblem"]').inner_text())


def status(page: Page) -> Locator:
    """What is, in words; the page has other live regions too."""
    return page.locator("[data-words] > [role=status]")
