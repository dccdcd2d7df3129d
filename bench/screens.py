"""Measure the delay of the live page: from a scan to "connected", and from a new code to its QR.

The end of a delay is the time at which the browser has drawn the change.
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

from bench.measure import machine, stop_on_sigterm
from tests.browser.visitor import Visitor, launch, panel, qr_code
from tests.support.application import Application

RUNS, ROTATIONS = 20, 2
CODE_SECONDS = 20  # The lifetime of all codes but the first.
# A change in the document has been drawn two frames later.
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


def delay_until_drawn(page: Page, panel_name: str, do: Callable[[], float]) -> float:
    """Return the milliseconds from the time that `do` returns until the page has drawn it."""
    page.evaluate(WATCH, panel_name)
    started = do()
    at: float = page.evaluate("window.drawn")
    return at - started * 1000


def scan_to_connected(application: Application, visitor: Visitor, runs: int) -> list[float]:
    """Return the milliseconds from scans until the pages show "connected"."""
    times = []
    for organization in application.new_organizations(*(f"Scan {run}" for run in range(runs))):
        page = visitor.open(organization)
        page.get_by_role("button", name="Reconnect", exact=True).click()
        expect(panel(page, "code")).to_be_visible()
        code = qr_code(page)

        def scan(code: str = code) -> float:
            started = time.time()
            application.simulator.scan(code)
            return started

        times.append(delay_until_drawn(page, "connected", scan))
    return times


def rotation_to_code(application: Application, visitor: Visitor, tabs: int) -> list[float]:
    """Return the milliseconds from stored codes until the pages show them."""
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
            times.append(at - stored_at(application, organization) * 1000)
    return times


def stored_at(application: Application, organization: int) -> float:
    """Return when the current code was stored (Unix time), by its expiry."""
    address = f"file:{application.data_dir / 'db.sqlite3'}?mode=ro"
    query = (
        "SELECT code_expires_at FROM connections_pairingattempt "
        "WHERE connection_id = ? AND ended_at IS NULL"
    )
    with closing(sqlite3.connect(address, uri=True)) as database:
        (found,) = database.execute(query, [organization]).fetchone()
    expires = datetime.fromisoformat(found).replace(tzinfo=UTC)
    return expires.timestamp() - CODE_SECONDS


def row(what: str, times: list[float]) -> str:
    return (
        f"{what}, {len(times)} times:\n  median {statistics.median(times):.0f} ms, "
        f"{min(times):.0f} to {max(times):.0f} ms"
    )


def main() -> None:
    stop_on_sigterm()
    with (
        TemporaryDirectory() as folder,
        Application(Path(folder) / "bench") as application,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        visitor = Visitor(browser, application)
        print(machine(), flush=True)
        # The first one warms up.
        scans = scan_to_connected(application, visitor, RUNS + 1)[1:]
        print(row('the phone\'s scan → the page says "connected"', scans), flush=True)
        rotations = rotation_to_code(application, visitor, RUNS // ROTATIONS)
        print(row("a rotation → the new code is drawn", rotations), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
