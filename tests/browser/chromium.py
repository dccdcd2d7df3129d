"""Where the browser for the tests is.

`make test` runs this file to see whether one is there; the browser tests import it for the path.
Standard library only. Chromium refuses to start its sandbox as root: launch it with --no-sandbox.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


class ChromiumMissing(Exception):
    """No Chromium found."""


def find_chromium() -> str:
    """The path of $CHROMIUM, of a browser on PATH, or of the one that Playwright installed."""
    if given := os.environ.get("CHROMIUM"):
        if path := working(given):
            return path
        raise ChromiumMissing(f"CHROMIUM is {given!r}, which is not a browser that starts.")
    for name in NAMES:
        if path := working(name):
            return path
    if path := working(playwrights_own()):
        return path
    raise ChromiumMissing(
        "No Chromium found: install the package `chromium`, or run "
        "`.venv/bin/python -m playwright install chromium`, or set CHROMIUM to a browser's path."
    )


def working(name: str) -> str | None:
    """The full path, if the browser says its version: on Ubuntu the name can be an empty shell."""
    path = shutil.which(name)
    return path if path and output_of(path, "--version") else None


def playwrights_own() -> str:
    """Asked in a process of its own, since Playwright refuses to start inside a running loop."""
    return output_of(sys.executable, "-c", PLAYWRIGHT)


def output_of(*command: str) -> str:
    """What a command prints, or nothing if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    try:
        print(find_chromium())
    except ChromiumMissing as error:
        sys.exit(str(error))
