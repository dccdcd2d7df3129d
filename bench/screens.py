"""How fast the page is: from the phone's scan to "connected", and from a rotation to the new code.

Both are seen from the page: the moment in which the browser has drawn the change, on the clock
that this machine's processes share.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect, sync_playwright

from bench.measure import machine
from tests.browser.visitor import Visitor, launch, panel, qr_code
from tests.support.application import Application

RUNS, ROTATIONS = 20, 2
CODE_SECONDS = 20  # All but the first one, which is good for a minute.
# Two frames after the change is in the document, it has been drawn.
WATCH = """(look) => {
  window.drawn = new Promise((resolve) => {
    const root = document.getElementById("connection");
    const picture = document.querySelector("[data-qr]");
    const before = picture.src;
    const there = () => look === "code"
      ? picture.src !== before && picture.complete : root.dataset.panel === look;
    const told = () => requestAnimationFrame(() => requestAnimationFrame(
      () => resolve(performance.timeOrigin + performance.now())));
    const watch = () => { if (there()) { observer.disconnect(); told(); } };
    const observer = new MutationObserver(watch);
    observer.observe(root, { attributes: true, subtree: true, childList: true });
    picture.addEventListener("load", watch);
  });
}"""


def drawn(page: Page, look: str, do: Callable[[], float]) -> float:
    """Milliseconds from the moment that `do` tells (Unix time) until the page has drawn it."""
    page.evaluate(WATCH, look)
    begun = do()
    at: float = page.evaluate("window.drawn")
    return at - begun * 1000


def scan_to_connected(application: Application, visitor: Visitor, runs: int) -> list[float]:
    """From the call that lets the phone scan, with all that WhatsApp and the phone do."""
    times = []
    for organization in application.new_organizations(*(f"Scan {run}" for run in range(runs))):
        page = visitor.open(organization)
        page.get_by_role("button", name="Reconnect", exact=True).click()
        expect(panel(page, "code")).to_be_visible()
        code = qr_code(page)

        def scan(code: str = code) -> float:
            begun = time.time()
            application.simulator.scan(code)
            return begun

        times.append(drawn(page, "connected", scan))
    return times


def rotation_to_code(application: Application, visitor: Visitor, tabs: int) -> list[float]:
    """From the moment in which the worker wrote the next code down; two rotations in each tab."""
    shown: dict[int, Page] = {}
    for organization in application.new_organizations(*(f"Rotation {tab}" for tab in range(tabs))):
        page = shown[organization] = visitor.open(organization, visitor.new_page())
        page.set_default_timeout(120_000)
        page.get_by_role("button", name="Reconnect", exact=True).click()
        expect(panel(page, "code")).to_be_visible()
    times = []
    for _ in range(ROTATIONS):
        for page in shown.values():
            page.evaluate(WATCH, "code")
        for organization, page in shown.items():
            at: float = page.evaluate("window.drawn")
            times.append(at - written(application, organization) * 1000)
    return times


def written(application: Application, organization: int) -> float:
    """When the code that is shown was written down (Unix time): so long before it expires."""
    address = f"file:{application.data_dir / 'db.sqlite3'}?mode=ro"
    asked = (
        "SELECT code_expires_at FROM connections_pairingattempt "
        "WHERE connection_id = ? AND ended_at IS NULL"
    )
    with closing(sqlite3.connect(address, uri=True)) as database:
        (found,) = database.execute(asked, [organization]).fetchone()
    expires = datetime.fromisoformat(found).replace(tzinfo=UTC)
    return expires.timestamp() - CODE_SECONDS


def row(what: str, times: list[float]) -> str:
    return (
        f"{what}, {len(times)} times:\n  median {statistics.median(times):.0f} ms, "
        f"{min(times):.0f} to {max(times):.0f} ms"
    )


def main() -> None:
    with (
        TemporaryDirectory() as folder,
        Application(Path(folder) / "bench") as application,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        visitor = Visitor(browser, application)
        print(machine(), flush=True)
        # The first one pays for what a running service has paid long ago.
        scans = scan_to_connected(application, visitor, RUNS + 1)[1:]
        print(row('the phone\'s scan → the page says "connected"', scans), flush=True)
        rotations = rotation_to_code(application, visitor, RUNS // ROTATIONS)
        print(row("a rotation → the new code is drawn", rotations), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
