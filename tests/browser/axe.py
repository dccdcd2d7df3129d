"""Run axe-core on a page."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

SOURCE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Part of WCAG 2.2, and not yet on by default.
OPTIONS = {
    "runOnly": {"type": "tag", "values": STANDARDS},
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
    "preload": False,
}
# Wait for animations that end, so that contrast is measured afterwards.
AT_REST = """() => Promise.all(document.getAnimations()
  .filter((each) => each.effect.getTiming().iterations !== Infinity)
  .map((each) => each.finished.catch(() => null))).then(() => null)"""


# Themes differ only in colours.
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "preload": False}


NARROW = 320


def violations(page: Page, options: dict[str, Any] = OPTIONS) -> list[str]:
    """Return a line for each violation: "serious color-contrast ×2: h1.title (…)"."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SOURCE)
    page.evaluate(AT_REST)
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [_told(each) for each in found["violations"]]


def in_both_themes(page: Page) -> list[str]:
    """Return the violations in the light theme, and those of colours in the dark one."""
    page.emulate_media(color_scheme="dark")
    dark = [f"dark: {line}" for line in violations(page, COLOURS)]
    page.emulate_media(color_scheme="light")
    return dark + [f"light: {line}" for line in violations(page)]


def assert_accessible(page: Page) -> None:
    """Check for serious or critical violations, and for horizontal scrolling at 320 px."""
    told = in_both_themes(page)
    found = [line for line in told if " serious " in line or " critical " in line]
    assert not found, "\n".join(found)
    page.set_viewport_size({"width": NARROW, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 800})
    assert width <= NARROW


def _told(violation: dict[str, Any]) -> str:
    nodes = violation["nodes"]
    where = "; ".join(
        f"{node['target'][-1]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for node in nodes[:5]
    )
    return f"{violation['impact']} {violation['id']} ×{len(nodes)}: {where}"
