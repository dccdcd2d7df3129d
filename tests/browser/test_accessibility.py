"""Access (WCAG 2.2 AA) on every page, in the light and the dark theme: axe, and what it cannot see.

Each page is also measured at several widths, in Portuguese, whose texts are long, and the densest
in Spanish. One application for all of it; each organization is brought into its state once.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Route, expect

from tests.browser.axe import assert_accessible, in_both_themes
from tests.browser.layout import problems
from tests.browser.scenes import Scenes
from tests.browser.visitor import Visitor, panel, press
from tests.support.application import ROOT, Application, free_port, until

CONNECTION = "admin/connections/connection/"
ORGANIZATION = "admin/organizations/organization/"
# The fleet page, the Messages tab and the login are below, with more on them.
PAGES = [
    *("admin/auth/user/", "admin/connections/?chart=messages", CONNECTION),
    *(f"{CONNECTION}?q=nobody", f"{CONNECTION}owner-links/?chosen={{fresh}}"),
    # One for each panel: all that needs action differs in its texts alone.
    *(f"{CONNECTION}{{{name}}}/change/" for name in ("fresh", "logged_out")),
    *(f"{CONNECTION}{{{name}}}/change/" for name in ("reconnecting", "connected")),
    *(f"{CONNECTION}{{connected}}/{page}/" for page in ("disconnect", "timeline")),
    *(f"{CONNECTION}{{fresh}}/{page}/" for page in ("settings", "webhooks", "notices")),
    *(f"{CONNECTION}{{connected}}/settings/{page}/" for page in ("remove", "retention")),
    *("admin/messages/", "admin/messages/?show=silent", "admin/webhooks/", "admin/webhooks/add/"),
    *("admin/notices/", "admin/notices/mine/"),
    *("admin/connections/connectionevent/", "admin/connections/pairingattempt/"),
    *(ORGANIZATION, f"{ORGANIZATION}add/", f"{ORGANIZATION}{{connected}}/change/"),
    *(f"{ORGANIZATION}{{connected}}/history/", f"{ORGANIZATION}{{connected}}/deactivate/"),
    *("admin/organizations/membership/", "admin/organizations/membership/add/"),
    *("admin/organizations/invitation/", "admin/organizations/invitation/received/"),
    *("admin/organizations/apitoken/", "admin/organizations/apitoken/add/"),
    *("admin/organizations/auditentry/", "admin/connections/worker/", "admin/colleagues/"),
    "admin/password_change/",
    *(f"{ORGANIZATION}{{connected}}/{page}/" for page in ("security", "proxy")),
    *("admin/connections/organizationproxy/", "admin/removals/"),
    "admin/removals/{being_removed}/",
]
# The densest, measured in Spanish, too: each costs 0.6 s.
IN_SPANISH = [
    *("admin/connections/?chart=messages", CONNECTION, f"{CONNECTION}{{connected}}/change/"),
    *("admin/messages/", f"{CONNECTION}{{connected}}/messages/", "admin/connections/worker/"),
    *(f"{ORGANIZATION}{{connected}}/change/", "admin/organizations/apitoken/add/"),
    *("admin/notices/mine/", f"{CONNECTION}{{fresh}}/webhooks/"),
]
LONG_NAME = "Associação dos Moradores do Jardim Corações Unidos do Paraná"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A separate product, because the last test stops it."""
    with Application(tmp_path_factory.mktemp("access")) as running:
        yield running


@pytest.fixture(scope="module")
def scenes(application: Application) -> Scenes:
    return Scenes(application)


@pytest.fixture(scope="module")
def ids(scenes: Scenes) -> dict[str, int]:
    """Create an organization in each lasting state."""
    with ThreadPoolExecutor(2) as pool:
        made: dict[str, Future[int]] = {
            name: pool.submit(getattr(scenes, name), f"A {name.replace('_', ' ')} one")
            for name in ("logged_out", "reconnecting", "being_removed")
        }
        made["connected"] = pool.submit(lambda: scenes.connected(LONG_NAME, tested=True)[0])
        made["fresh"] = pool.submit(scenes.organization, f"{LONG_NAME} Filial")
        return {name: future.result() for name, future in made.items()}


@pytest.fixture(scope="module")
def visitor(browser: Browser, application: Application) -> Iterator[Visitor]:
    visitor = Visitor(browser, application)
    yield visitor
    visitor.context.close()


@pytest.fixture(scope="module")
def brazilian(browser: Browser, application: Application) -> Iterator[Visitor]:
    visitor = Visitor(browser, application)
    visitor.context.add_cookies(
        [{"name": "django_language", "value": "pt-br", "url": application.url}]
    )
    yield visitor
    visitor.context.close()


@pytest.fixture(scope="module")
def spanish(browser: Browser, application: Application) -> Iterator[Visitor]:
    visitor = Visitor(browser, application)
    visitor.context.add_cookies(
        [{"name": "django_language", "value": "es", "url": application.url}]
    )
    yield visitor
    visitor.context.close()


@pytest.mark.parametrize("path", IN_SPANISH)
def test_nothing_is_cut_in_spanish(spanish: Visitor, ids: dict[str, int], path: str) -> None:
    page = spanish.page
    page.goto(spanish.application.url + path.format(**ids))
    assert problems(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_page_is_accessible_and_nothing_is_cut(
    brazilian: Visitor, ids: dict[str, int], path: str
) -> None:
    page = brazilian.page
    page.goto(brazilian.application.url + path.format(**ids))
    if "{" in path and path.endswith("change/") and path.startswith(CONNECTION):
        expect(page.get_by_text("Ao vivo", exact=True)).to_be_visible()
    assert_accessible(page)
    assert problems(page) == []
    brazilian.at_ease()


def test_login_is_accessible(browser: Browser, application: Application) -> None:
    page = browser.new_page()
    page.goto(f"{application.url}admin/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("wrong")
    press(page, "Log in")
    expect(page.locator(".errornote")).to_be_visible()
    assert_accessible(page)
    page.close()


def test_pairing_panels_are_accessible(visitor: Visitor, scenes: Scenes) -> None:
    page = visitor.page
    organization = scenes.organization("Linking")
    scenes.simulator.arm("slow_handshake", count=1, ms=6000)
    visitor.open(organization)
    press(page, "Reconnect")
    expect(panel(page, "preparing")).to_be_visible()
    assert_accessible(page)
    expect(panel(page, "code")).to_be_visible()
    assert_accessible(page)
    held = scenes.simulator.arm("mute_login", number="5511987650002", seconds=60)
    scenes.scan(organization, number="5511987650002")
    expect(panel(page, "finishing")).to_be_visible()
    assert_accessible(page)
    scenes.simulator.clear_faults(held)
    scenes.application.api("DELETE", organization, "disconnect")


def test_typed_code_panel_is_accessible(visitor: Visitor, scenes: Scenes) -> None:
    visitor.open(scenes.phone_code("Typing"))
    expect(panel(visitor.page, "phone_code")).to_be_visible()
    assert_accessible(visitor.page)


def test_log_and_forms_of_messages_are_accessible(visitor: Visitor, ids: dict[str, int]) -> None:
    page = visitor.page
    page.goto(f"{visitor.application.url}{CONNECTION}{ids['connected']}/messages/")
    for name in ("Write a message", "Write as a customer", "hidden from administrators"):
        page.locator("summary", has_text=name).click()
    page.get_by_label("What Ana writes").fill("Olá")
    press(page, "Send as Ana")
    expect(page.locator(".talk .mine")).to_be_visible()
    page.get_by_label("To", exact=True).fill("+55 11 98765-0009")
    page.get_by_label("Text", exact=True).fill("Olá")
    press(page, "Send")
    # There is no such account: the log says why it failed.
    expect(page.get_by_text("1 message failed today.")).to_be_visible()
    assert_accessible(page)
    page.locator(".message-table .when a").first.click()
    assert_accessible(page)
    visitor.at_ease()


def test_webhooks_with_their_deliveries_are_accessible(
    visitor: Visitor, ids: dict[str, int]
) -> None:
    page = visitor.page
    page.goto(f"{visitor.application.url}{CONNECTION}{ids['connected']}/webhooks/")
    press(page, "Catch events here")
    page.get_by_role("link", name="Its deliveries").click()
    address = page.url
    press(page, "Send a test event")
    expect(page.locator(".delivery-table .now")).to_have_text("Delivered")
    assert_accessible(page)
    page.locator(".delivery-table .when a").click()
    expect(page.locator(".attempts li")).to_contain_text("200")
    assert_accessible(page)
    page.goto(f"{visitor.application.url}{CONNECTION}{ids['connected']}/webhooks/")
    page.locator(".caught summary").click()
    assert_accessible(page)
    for question in ("replay", "edit", "delete", "rotate"):
        page.goto(f"{address}{question}/")
        assert_accessible(page)
    press(page, "Rotate secret")
    assert_accessible(page)
    visitor.at_ease()


def test_waiting_messages_and_their_question_are_accessible(
    visitor: Visitor, ids: dict[str, int]
) -> None:
    page = visitor.page
    page.goto(f"{visitor.application.url}{CONNECTION}{ids['logged_out']}/messages/")
    page.locator("summary", has_text="Write a message").click()
    page.get_by_label("To", exact=True).fill("+55 11 98765-0009")
    page.get_by_label("Text", exact=True).fill("Olá")
    press(page, "Send")
    expect(page.get_by_role("link", name="Discard…")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Discard…").click()
    assert_accessible(page)
    page.goto(f"{visitor.application.url}admin/connections/")
    expect(page.get_by_text("1 message waits")).to_be_visible()
    assert_accessible(page)
    visitor.at_ease()


def changed(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(
        response=answer, body=answer.text().replace("Remove anyway", "Remove all the same")
    )


def test_page_of_a_removal_keeps_the_focus_when_it_changes(
    visitor: Visitor, ids: dict[str, int]
) -> None:
    page = visitor.new_page()
    page.clock.install()
    page.goto(f"{visitor.application.url}admin/removals/{ids['being_removed']}/")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.get_by_role("button", name="Remove anyway").focus()
    page.route(page.url, changed)
    page.clock.fast_forward(6_000)
    page.clock.fast_forward(1_000)
    expect(page.get_by_role("button", name="Remove all the same")).to_be_focused()
    page.close()


def test_bulk_confirmation_and_progress_are_accessible(
    visitor: Visitor, ids: dict[str, int]
) -> None:
    page = visitor.page
    page.goto(visitor.application.url + CONNECTION)
    for name in ("logged_out", "reconnecting", "connected"):
        page.locator(f'input[name="_selected_action"][value="{ids[name]}"]').check()
    press(page, "Reconnect…")
    assert_accessible(page)
    page.get_by_role("button", name="Reconnect: 1").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    assert_accessible(page)
    visitor.at_ease()


def test_new_token_page_is_accessible(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.application.url}admin/organizations/apitoken/add/")
    page.get_by_label("Name").fill("A script")
    page.get_by_label("All that you may see").check()
    press(page, "Save")
    expect(page.locator("[data-token]")).to_be_visible()
    assert_accessible(page)


def test_owner_page_is_accessible(visitor: Visitor, browser: Browser, scenes: Scenes) -> None:
    staff = visitor.open(scenes.organization("Owned"))
    press(staff, "Copy a link for the phone's owner")
    expect(staff.locator("[data-url]")).not_to_have_value("")
    assert_accessible(staff)
    url = staff.locator("[data-url]").input_value()
    phone = browser.new_page()
    phone.goto(url)
    stage = phone.locator("#owner")
    expect(stage).to_have_attribute("data-stage", "ready")
    assert_accessible(phone)
    press(phone, "Connect WhatsApp")
    expect(stage).to_have_attribute("data-stage", "qr")
    assert_accessible(phone)
    number = phone.locator('[name="number"]:visible')
    number.fill("+55 11 98765-0003")
    number.press("Enter")
    expect(stage).to_have_attribute("data-stage", "typed")
    assert_accessible(phone)
    press(staff, "Type it on the simulated phone")
    expect(stage).to_have_attribute("data-stage", "done")
    assert_accessible(phone)
    phone.close()
    other = browser.new_page()
    other.goto(url)
    expect(other.get_by_text("no longer valid")).to_be_visible()
    assert_accessible(other)
    other.close()


def answered(html: str, route: Route) -> None:
    route.fulfill(body=html)


def test_error_pages_are_accessible(visitor: Visitor, application: Application) -> None:
    # As the server renders them; that it does so stands in the tests of what goes wrong.
    page = visitor.page
    for status in (403, 404, 500, 503):
        address = f"{application.url}admin/error/{status}"
        page.route(address, partial(answered, render_to_string(f"{status}.html")))
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        # Reloading is its purpose.
        assert not [line for line in in_both_themes(page) if "meta-refresh" not in line]
        page.unroute(address)


# --- Checks beyond axe ----------------------------------------------------------------------------

OUTLINED = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
    || style.boxShadow !== "none";
}"""


@pytest.mark.parametrize("path", ["admin/connections/", f"{CONNECTION}{{connected}}/change/"])
def test_keyboard_reaches_everything_and_focus_is_visible(
    visitor: Visitor, ids: dict[str, int], path: str
) -> None:
    page = visitor.page
    page.goto(visitor.application.url + path.format(**ids))
    unseen, names = [], []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
        if not page.evaluate(OUTLINED):
            unseen.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
    assert unseen == []
    expected = "More" if "change" in path else "Reconnect"
    assert any(name.startswith(expected) for name in names), names


def test_reduced_motion_stops_every_animation(visitor: Visitor, scenes: Scenes) -> None:
    visitor.page.emulate_media(reduced_motion="reduce")
    page = visitor.open(scenes.organization("Still"))
    page.evaluate(
        """() => new MutationObserver(() => {
            document.body.dataset.moved ||= document.getAnimations().map((each) =>
              each.animationName ?? each.transitionProperty).join(" ");
        }).observe(document.getElementById("connection"), { attributes: true })"""
    )
    press(page, "Reconnect")
    expect(panel(page, "code")).to_be_visible()
    expect(page.get_by_text("s left")).to_be_visible()
    assert page.evaluate("document.body.dataset.moved") == ""
    assert page.evaluate("document.getAnimations().length") == 0


def test_change_is_announced_once(visitor: Visitor, scenes: Scenes) -> None:
    organization = scenes.organization("Said")
    page = visitor.open(organization)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.evaluate(
        """() => {
            const region = document.querySelector('.words [role="status"]');
            window.said = [];
            new MutationObserver(() => window.said.push(region.innerText.replace(/\\s+/g, " ")))
                .observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )
    scenes.ask_code(organization)
    expect(panel(page, "code")).to_be_visible()
    # The countdown must not be announced.
    expect(page.get_by_text("57 s left")).to_be_visible()
    said = page.evaluate("window.said")
    assert said and len(said) == len(set(said)), said
    assert sum("waiting to be scanned" in each for each in said) == 1
    scenes.application.api("DELETE", organization, "disconnect")


# --- Last, because it stops the application -------------------------------------------------------


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def web_alone(application: Application) -> Iterator[str]:
    """Start a web process without a worker on the same data. Yields its URL."""
    port = free_port()
    environment = {**application.environment, "PORT": str(port)}
    command = [sys.executable, "-m", "daphne", "-p", str(port), "whatsapp_orgs.asgi:application"]
    log = application.log.open("ab")
    with log, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as web:
        try:
            until(lambda: listens(port), 30, "a web process that listens")
            yield f"http://127.0.0.1:{port}/"
        finally:
            web.terminate()


def test_page_of_an_unowned_connection_is_accessible(
    visitor: Visitor, application: Application, ids: dict[str, int]
) -> None:
    application.stop()
    with web_alone(application) as url:
        page = visitor.page

        page.goto(f"{url}{CONNECTION}{ids['connected']}/change/")
        expect(panel(page, "offline")).to_be_visible()
        assert_accessible(page)
