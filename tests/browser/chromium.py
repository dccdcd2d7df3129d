"""Where the browser for the tests is.

`make test` runs this file to see whether one is there; the browser tests import it for the path.
Standard library only. Chromium refuses to start its sandbox as root: launch it with --no-sandbox.
"""

import os
import shutil
import subprocess
import sys

# The first are the same browser without windows: the tests take half of its CPU time.
NAMES = (
    *("chromium-headless-shell", "chrome-headless-shell"),
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
)
PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


class ChromiumMissing(Exception):
    """No Chromium found."""


def find_chromium() -> str:
    """Return the path of $CHROMIUM, of a browser on PATH, or of Playwright's browser."""
    if given := os.environ.get("CHROMIUM"):
        if path := working_path(given):
            return path
        raise ChromiumMissing(f"CHROMIUM is {given!r}, which is not a browser that starts.")
    for name in NAMES:
        if path := working_path(name):
            return path
    if path := working_path(playwright_path()):
        return path
    raise ChromiumMissing(
        "No Chromium found: install the package `chromium`, or run "
        "`.venv/bin/python -m playwright install chromium`, or set CHROMIUM to a browser's path."
    )


def working_path(name: str) -> str | None:
    """Return the path if the browser prints its version: on Ubuntu it can be a stub."""
    path = shutil.which(name)
    return path if path and output_of(path, "--version") else None


def playwright_path() -> str:
    """Ask Playwright in a separate process, because it does not start in a running loop."""
    return output_of(sys.executable, "-c", PLAYWRIGHT)


def output_of(*command: str) -> str:
    """Return the output of a command, "" if it fails."""
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
