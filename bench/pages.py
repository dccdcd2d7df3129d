"""Measure the pages on a slow network: 400 ms latency and 50 KB/s, with 300 organizations.

A page is usable when its HTML is parsed, its scripts have run and its stylesheets are there. The
first visit has an empty cache, the second one that of the first.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from bench.measure import load_average, machine, stop_on_sigterm
from tests.browser.visitor import Visitor, launch
from tests.support.application import Application

LATENCY_MILLISECONDS, BYTES_PER_SECOND = 400, 50 * 1024
CONNECTION = "admin/connections/connection/"
OWNER = "owner"

FILL = "from bench import pages_data; print(pages_data.fill({organization}))"


@dataclass
class Visit:
    """One visit to a page."""

    usable: float = 0.0
    # By the ids that the browser gives to requests: their URLs, their bytes with the headers, and
    # the seconds when each was asked for and was there, on a clock of the browser's own.
    requests: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    sent: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


Measured = Iterator[tuple[str, Visit, Visit]]


def fill(application: Application) -> str:
    """Give the service its data. Returns the public id of the webhook."""
    code = FILL.format(organization=application.organization())
    return application.manage("shell", "-v0", "-c", code).split()[-1]


def paths(application: Application, webhook: str) -> dict[str, str]:
    """Return the paths of the measured pages by their names."""
    own = f"{CONNECTION}{application.organization()}/"
    return {
        "fleet": "admin/connections/",
        "list": CONNECTION,
        "connection": f"{own}change/",
        "messages": f"{own}messages/",
        "webhooks": f"{own}webhooks/",
        "webhook": f"{own}webhooks/{webhook}/",
        "settings": f"admin/organizations/organization/{application.organization()}/change/",
        "tokens": "admin/organizations/apitoken/add/",
    }


def slow_page(context: BrowserContext, visit: Visit) -> Page:
    """Return a new tab with the slow network, which adds to the visit whatever it loads."""
    page = context.new_page()
    page.set_default_timeout(60_000)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    speed = {"downloadThroughput": BYTES_PER_SECOND, "uploadThroughput": BYTES_PER_SECOND}
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": LATENCY_MILLISECONDS, **speed},
    )

    kept: set[str] = set()
    session.on("Network.requestServedFromCache", lambda event: kept.add(event["requestId"]))

    def received(event: dict[str, Any]) -> None:
        answer = event["response"]
        cached = answer.get("fromDiskCache") or event["requestId"] in kept
        if answer["url"].startswith("http") and not cached:
            visit.requests[event["requestId"]] = answer["url"]

    def finished(event: dict[str, Any]) -> None:
        visit.sizes[event["requestId"]] = int(event["encodedDataLength"])
        visit.ended[event["requestId"]] = event["timestamp"]

    def sent(event: dict[str, Any]) -> None:
        visit.sent[event["requestId"]] = event["timestamp"]

    session.on("Network.requestWillBeSent", sent)
    session.on("Network.responseReceived", received)
    session.on("Network.loadingFinished", finished)
    return page


def usable_after(page: Page) -> float:
    """Return the milliseconds until the page could be used; it must have been loaded."""
    milliseconds: float = page.evaluate(
        """() => {
          const [visit] = performance.getEntriesByType("navigation");
          const styles = performance.getEntriesByType("resource")
            .filter((each) => each.name.includes(".css")).map((each) => each.responseEnd);
          const [paint] = performance.getEntriesByName("first-contentful-paint");
          return Math.max(visit.domContentLoadedEventEnd, paint?.startTime ?? 0, ...styles);
        }"""
    )
    return milliseconds


def visits(browser: Browser, url: str, login: StorageState | None) -> tuple[Visit, Visit]:
    """Visit a page twice in a new profile."""
    context = browser.new_context(storage_state=login, viewport={"width": 1280, "height": 800})
    found = []
    for _ in range(2):
        visit = Visit()
        page = slow_page(context, visit)
        answer = page.goto(url, wait_until="load")
        assert answer and answer.status == 200, url
        visit.usable = usable_after(page)
        page.close()
        found.append(visit)
    context.close()
    return found[0], found[1]


def row(name: str, first: Visit, second: Visit) -> str:
    cells = [
        f"{visit.usable / 1000:.1f} s | {len(visit.requests)} | {visit.bytes / 1000:.0f} KB"
        for visit in (first, second)
    ]
    return f"| {name} | {cells[0]} | {cells[1]} |"


def request_lines(visit: Visit) -> Iterator[str]:
    """Yield a line for each request: when it was sent and was there in ms, its bytes, its URL."""
    begun = min(visit.sent.values())
    for key, url in visit.requests.items():
        times = (1000 * (at - begun) for at in (visit.sent[key], visit.ended[key]))
        yield "".join(f"{number:7.0f}" for number in (*times, visit.sizes[key])) + f"  {url}"


def owner_page(browser: Browser, application: Application) -> tuple[Visit, Visit]:
    """Visit the page behind an owner's link, and once more without the link."""
    link = application.api("POST", application.organization(), "owner-link").body["url"]
    context = browser.new_context(viewport={"width": 390, "height": 800})
    first, second = Visit(), Visit()
    page = slow_page(context, first)
    page.goto(link)
    page.locator("#owner").wait_for()
    page.wait_for_load_state("load")
    # Behind the link's page, which only submits the secret, waits the page for the phone's owner.
    first.usable = usable_after(page)
    page.close()
    page = slow_page(context, second)
    page.goto(link.partition("#")[0], wait_until="load")
    second.usable = usable_after(page)
    context.close()
    return first, second


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--pages", nargs="+", metavar="NAME", help="only these, by their names")
    parser.add_argument("--requests", action="store_true", help="list what a first visit loads")
    return parser.parse_args()


def measure(browser: Browser, application: Application, wanted: list[str] | None) -> Measured:
    """Visit the wanted pages, or all. Yields the name of each, and its two visits."""
    pages = {"login": "admin/login/"} | paths(application, fill(application))
    if unknown := set(wanted or ()) - {*pages, OWNER}:
        raise SystemExit(f"No page {', '.join(sorted(unknown))}: {', '.join([*pages, OWNER])}")
    visitor = Visitor(browser, application)
    login = visitor.context.storage_state()
    visitor.context.close()
    for name, path in pages.items():
        if not wanted or name in wanted:
            state = None if name == "login" else login
            yield name, *visits(browser, application.url + path, state)
    if not wanted or OWNER in wanted:
        yield OWNER, *owner_page(browser, application)


def main() -> None:
    stop_on_sigterm()
    chosen = arguments()
    with (
        TemporaryDirectory() as folder,
        Application(Path(folder) / "bench") as application,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        print(f"{machine()}; load {load_average()}", flush=True)
        print("| page | usable | requests | bytes | usable again | requests | bytes |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for name, first, second in measure(browser, application, chosen.pages):
            print(row(name, first, second), flush=True)
            if chosen.requests:
                print(*request_lines(first), sep="\n", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
