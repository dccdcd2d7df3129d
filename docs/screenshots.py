"""`make screenshots`: take the documentation's screenshots of the running product.

They show a demo fleet in all states, with a history of a month. Without arguments all scenes are
taken; with some (`python -m docs.screenshots fleet code`) only those.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.demo_data import Demo, past, talk, tell
from tests.browser.scenes import Scenes
from tests.browser.visitor import Visitor, launch, panel
from tests.support.application import Application, until
from tests.support.terminal_picture import as_html
from tests.support.tmux import Window

IMAGES = Path(__file__).resolve().parent / "images"
# Keeps rare colours in the palette, too.
FEW_KEPT, NO_DITHER = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
# Variants: width, and whether the theme is dark.
VARIANTS = {"light": (1280, False), "dark": (1280, True), "360": (360, False)}
# The proxies of the simulator are on loopback. No mail is sent.
SETTINGS = {
    "PROXIES_ALLOW_PRIVATE": "true",
    "PROXIES_ALLOWED_HOSTS": "127.0.0.1",
    "SITE_URL": "https://whatsapp.example.com",
    "EMAIL_URL": "consolemail://",
}
CONNECTIONS = "admin/connections/"
LIST = f"{CONNECTIONS}connection/"
TERMINAL_STYLE = """
body { margin: 0 }
pre { display: inline-block; margin: 0; padding: 12px 16px; background: #1e1e1e; color: #ddd }
pre { font: 14px "DejaVu Sans Mono", monospace; line-height: normal }
pre span { background: white; color: black }
"""


class Camera:
    """Takes screenshots of a page's variants. `ids`: organization ids by state name."""

    def __init__(self, visitor: Visitor, ids: dict[str, int]) -> None:
        self.visitor, self.ids = visitor, ids
        self.page = visitor.page

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.visitor.application.url}{path}")
        return self.page

    def connection(self, name: str) -> Page:
        """Open the page of the organization in this state."""
        page = self.visitor.open(self.ids[name])
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        return page

    def take(self, name: str, *variants: str, page: Page | None = None, most: int = 1500) -> None:
        """Save a screenshot of each variant. `most`: maximum height in pixels."""
        page = page or self.page
        for variant in variants or VARIANTS:
            width, dark = VARIANTS[variant]
            page.emulate_media(color_scheme="dark" if dark else "light")
            page.set_viewport_size({"width": width, "height": 800})
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
            height = int(page.evaluate("document.documentElement.scrollHeight"))
            taken = page.screenshot(
                full_page=True,
                clip={"x": 0, "y": 0, "width": width, "height": min(height, most)},
                animations="disabled",
            )
            # A palette reduces the file to a third.
            picture = (
                Image.open(io.BytesIO(taken))
                .convert("RGB")
                .quantize(256, FEW_KEPT, dither=NO_DITHER)
            )
            picture.save(IMAGES / f"{name}-{variant}.png", optimize=True)
            print(IMAGES / f"{name}-{variant}.png", flush=True)


def fleet(camera: Camera) -> None:
    page = camera.open(CONNECTIONS)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    camera.take("fleet", most=1800)


def listed(camera: Camera) -> None:
    page = camera.open(LIST)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    camera.take("list")


def bulk(camera: Camera) -> None:
    page = camera.open(f"{LIST}?state=connected")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Disconnect…").click()
    camera.take("bulk-question", "light")


def connected(camera: Camera) -> None:
    camera.connection("connected")
    camera.take("connection-connected", most=1400)


def messages(camera: Camera) -> None:
    """The log as someone sees it who reads texts, and the simulated customer beside it."""
    talk(camera.visitor.application, camera.ids["connected"])
    page = camera.open(f"{LIST}{camera.ids['connected']}/messages/")
    page.locator("summary", has_text="hidden from administrators").click()
    page.get_by_label("Why do you need to read them?").fill("A customer asked about an order")
    page.get_by_role("button", name="Open for 30 minutes").click()
    expect(page.locator(".steps .now", has_text="Read").first).to_be_visible()
    expect(page.get_by_text("failed today")).to_be_visible()
    camera.take("messages", most=1000)
    page.locator("summary", has_text="Write as a customer").click()
    page.get_by_label("What Ana writes").fill("Vocês entregam no domingo?")
    page.get_by_role("button", name="Send as Ana").click()
    expect(page.locator(".talk .mine")).to_be_visible()
    camera.take("messages-customer", "light", most=1000)


def webhooks(camera: Camera) -> None:
    """A receiver of this installation that fails at first, and the log of its deliveries."""
    application, page = camera.visitor.application, camera.open("admin/webhooks/")
    page.get_by_role("button", name="Catch events here").click()
    page.get_by_role("button", name="Answer 500").click()
    number = str(application.api("GET", camera.ids["connected"], "status").body["number"])
    application.simulator.save_person("5511976540004", "Bruno Costa", auto="read")
    application.simulator.say("5511976540004", number, "Vocês abrem no feriado?")
    expect(page.locator(".caught")).to_contain_text("answered 500")
    page.get_by_role("button", name="Answer 200 again").click()
    arrived = page.locator(".caught li").filter(has_text="message.received")
    expect(arrived.filter(has_text="answered 200")).to_be_visible(timeout=60_000)
    arrived.filter(has_text="answered 200").locator("summary").click()
    camera.take("webhooks", most=1200)
    page.get_by_role("link", name="Its deliveries").click()
    expect(page.locator(".delivery-table")).to_be_visible()
    camera.take("webhook", "light", most=1000)


def proxy(camera: Camera) -> None:
    """A proxy of the simulator, through which WhatsApp was reached."""
    application, organization = camera.visitor.application, camera.ids["connected"]
    port = urlsplit(application.simulator.set_proxy("br-1", kind="socks5")["url"]).port
    address = f"admin/organizations/organization/{organization}/proxy/"
    page = camera.open(address)
    page.get_by_label("Name", exact=True).fill("br-1")
    page.get_by_label("Kind", exact=True).select_option("socks5")
    page.get_by_label("Host", exact=True).fill("127.0.0.1")
    page.get_by_label("Port", exact=True).fill(str(port))
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".message-card")).to_contain_text("Reached WhatsApp in")
    application.wait_for_state(organization, "connected", 30)
    camera.open(address)
    camera.take("proxy", most=1100)
    page.get_by_role("link", name="Remove…").click()
    page.get_by_role("button", name="Remove the proxy").click()


def notices(camera: Camera) -> None:
    """Where an administrator is told, and who is told of one organization."""
    tell(camera.visitor.application, camera.ids["connected"])
    page = camera.open("admin/notices/mine/")
    expect(page.get_by_text("On", exact=True).first).to_be_visible()
    camera.take("notices", most=1300)
    camera.open(f"{LIST}{camera.ids['connected']}/notices/")
    camera.take("notices-organization", "light", most=1000)


def removal(camera: Camera) -> None:
    """What goes with an organization, and the question."""
    page = camera.open(f"{LIST}{camera.ids['connected']}/settings/remove/")
    expect(page.get_by_role("heading", name="What goes for good")).to_be_visible()
    camera.take("removal", most=1300)


def waiting(camera: Camera) -> None:
    for name in ("reconnecting", "banned", "logged_out", "wrong_number"):
        camera.connection(name)
        camera.take(f"connection-{name.replace('_', '-')}", "light", most=1000)


def code(camera: Camera) -> None:
    page = camera.connection("fresh")
    page.get_by_role("button", name="Reconnect", exact=True).click()
    # Some way into its minute, so that the ring shows what it is.
    expect(page.get_by_text("52 s left")).to_be_visible()
    camera.take("connection-code", most=1000)
    page.locator("summary", has_text="Link with phone number instead").click()
    page.get_by_label("Phone number with country code").fill("+55 11 98765-4321")
    page.get_by_role("button", name="Get a code").click()
    expect(panel(page, "phone_code")).to_be_visible()
    expect(page.get_by_text("s left")).to_be_visible()
    camera.take("connection-phone-code", most=1000)


def owner(camera: Camera, browser: Browser) -> None:
    staff = camera.connection("owned")
    staff.get_by_role("button", name="Copy a link for the phone's owner").click()
    expect(staff.locator("[data-url]")).not_to_have_value("")
    camera.take("owner-link", "light", most=1000)
    phone = browser.new_page(has_touch=True, is_mobile=True)
    phone.goto(staff.locator("[data-url]").input_value())
    camera.take("owner-start", "360", page=phone)
    phone.get_by_role("button", name="WhatsApp is on another phone").click()
    expect(phone.locator('#owner[data-stage="qr"]')).to_be_visible()
    expect(phone.get_by_text("s left").locator("visible=true")).to_be_visible()
    camera.take("owner-code", page=phone)
    number = phone.locator('[name="number"]:visible')
    number.fill("+55 11 98765-4322")
    number.press("Enter")
    expect(phone.locator('#owner[data-stage="typed"]')).to_be_visible()
    expect(phone.get_by_text("s left").locator("visible=true")).to_be_visible()
    camera.take("owner-phone-code", "360", page=phone)
    staff.get_by_role("button", name="Type it on the simulated phone").click()
    expect(phone.locator('#owner[data-stage="done"]')).to_be_visible()
    camera.take("owner-done", "360", page=phone)
    phone.close()


def new_code(browser: Browser) -> None:
    """A login that is refused for long, on a product that calls two seconds long."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Application(Path(folder) / "data", LOGIN_REFUSED_LONG_SECONDS="2") as application,
    ):
        refused, _ = Scenes(application).login_still_refused("Transportes Rápido Sul")
        camera = Camera(Visitor(browser, application), {"refused": refused})
        page = camera.connection("refused")
        expect(page.get_by_text("Next try in")).to_be_visible()
        camera.take("connection-refused", "light", most=1000)
        page.get_by_role("button", name="Get a new code").click()
        expect(page.get_by_text("52 s left")).to_be_visible()
        camera.take("connection-new-code", "light", most=1000)


def terminal(camera: Camera, browser: Browser) -> None:
    """A code of `manage.py whatsapp reconnect`, as a terminal shows it."""
    application = camera.visitor.application
    (pk,) = application.new_organizations("Padaria Estrela do Norte")
    with (
        tempfile.TemporaryDirectory() as folder,
        Window(application, Path(folder), 80, 36, "whatsapp", "reconnect", str(pk)) as window,
    ):
        until(lambda: "s left" in window.text(colours=False), 30, "a code in the terminal")
        shown = window.text()
    page = browser.new_page(viewport={"width": 720, "height": 400})
    page.set_content(f"<style>{TERMINAL_STYLE}</style><pre>{as_html(shown)}</pre>")
    taken = page.locator("pre").screenshot()
    Image.open(io.BytesIO(taken)).convert("L").quantize(16).save(
        IMAGES / "terminal.png", optimize=True
    )
    page.close()


SCENES: dict[str, Callable[[Camera], None]] = {
    each.__name__: each
    for each in (messages, webhooks, fleet, listed, bulk, connected, waiting, code)
    + (proxy, notices, removal)
}
# They need the browser, too.
OTHERS = ("owner", "new_code", "terminal")


def main(names: list[str]) -> None:
    if unknown := set(names) - SCENES.keys() - set(OTHERS):
        known = ", ".join([*SCENES, *OTHERS])
        sys.exit(f"screenshots: unknown {', '.join(sorted(unknown))}; there are: {known}")
    wanted = set(names or [*SCENES, *OTHERS])
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Application(Path(folder) / "data", (), **SETTINGS) as application,
        sync_playwright() as playwright,
    ):
        demo = Demo(application)
        past(application, demo)
        browser = launch(playwright)
        camera = Camera(Visitor(browser, application), demo.ids)
        for name, scene in SCENES.items():
            if name in wanted:
                scene(camera)
        if "owner" in wanted:
            owner(camera, browser)
        if "new_code" in wanted:
            new_code(browser)
        if "terminal" in wanted:
            terminal(camera, browser)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
