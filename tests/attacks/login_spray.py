"""Guess passwords at a login on loopback, and print how many were really checked.

    python -m tests.attacks.login_spray http://127.0.0.1:8000   # it must run with TRUST_PROXY=true
    python -m tests.attacks.login_spray                         # starts one of this checkout itself

The names are of nobody and new each time. The script sends some 200 requests and then ends.
"""

from __future__ import annotations

import argparse
import http.client
import ipaddress
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.support.application import Application

TIMEOUT_SECONDS = 60.0
ATTEMPTS = 40
FORM_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="(\w+)"')
# An attempt is a user name and the address in X-Forwarded-For.
Attempt = tuple[str, str]


@dataclass(frozen=True)
class Result:
    """The result of an attack: checked passwords get 200, throttled logins 429.

    `busy`: how many got 503, as no slot for hashing became free in time. They do not count.
    """

    attack: str
    attempts: int
    checked: int
    refused: int
    busy: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.attack:<44} {self.attempts:>5} {self.checked:>8} {self.refused:>8} "
            f"{self.busy:>5} "
            f"{self.seconds:>8.1f}"
        )


class Guesser:
    """Sends wrong logins. Raises ValueError for a server that is not on loopback."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback:
            raise ValueError("only a server on loopback is attacked")
        self._host, self._port = host, parts.port or 80
        self._cookie, self._token = self._open_form()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)

    def _open_form(self) -> tuple[str, str]:
        connection = self._connection()
        connection.request("GET", "/admin/login/")
        response = connection.getresponse()
        found = FORM_TOKEN.search(response.read())
        cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]
        connection.close()
        if found is None or not cookie.startswith("csrftoken="):
            raise ValueError(f"no login form, but status {response.status}")
        return cookie, found[1].decode()

    def guess(self, name: str, address: str) -> int:
        """Return the status of one wrong login."""
        form = {"username": name, "password": "a wrong one", "csrfmiddlewaretoken": self._token}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self._cookie,
            "X-Forwarded-For": address,
        }
        connection = self._connection()
        connection.request("POST", "/admin/login/", urlencode(form), headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def run(self, attack: str, attempts: Iterable[Attempt], parallel: int = 1) -> Result:
        """Send all attempts, `parallel` at a time."""
        started = time.monotonic()
        with ThreadPoolExecutor(parallel) as threads:
            statuses = list(threads.map(lambda one: self.guess(*one), attempts))
        seconds = time.monotonic() - started
        unexpected = set(statuses) - {200, 429, 503}
        if unexpected:
            raise ValueError(f"{attack}: unexpected status {unexpected}")
        checked, refused, busy = (statuses.count(status) for status in (200, 429, 503))
        return Result(attack, len(statuses), checked, refused, busy, seconds)


def attack(url: str, attempts: int = ATTEMPTS) -> list[Result]:
    """Run all attacks one after the other, each with other names and networks."""
    guesser, run = Guesser(url), secrets.token_hex(4)
    numbers = range(1, attempts + 1)
    block = f"2001:db8:{run[:4]}"
    one = f"guessed-{run}"
    return [
        guesser.run(
            "many names, one address",
            [(f"sprayed-{run}-{number}", f"{block}:1::1") for number in numbers],
        ),
        guesser.run(
            "many names, one address, 8 at a time",
            [(f"parallel-{run}-{number}", f"{block}:2::1") for number in numbers],
            parallel=8,
        ),
        guesser.run(
            "one name, many addresses of one /64",
            [(f"{one}-a", f"{block}:3::{number:x}") for number in numbers],
        ),
        guesser.run(
            "one name, one address in four spellings",
            [
                (f"{one}-b", form)
                for _ in range(attempts // 4)
                for form in ("192.0.2.9", "::ffff:192.0.2.9", "::ffff:c000:209", "192.0.2.9:4433")
            ],
        ),
        guesser.run(
            "one name, as many networks",
            [(f"{one}-c", f"{block}:{number + 16:x}::1") for number in numbers],
        ),
    ]


def print_table(results: Iterable[Result]) -> None:
    print(f"{'attack':<44} tries  checked  refused  busy  seconds")
    for result in results:
        print(result)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", nargs="?", help="a server on loopback that runs with TRUST_PROXY")
    url = parser.parse_args().url
    if url:
        print_table(attack(url))
        return 0
    with (
        tempfile.TemporaryDirectory() as folder,
        Application(Path(folder) / "data", TRUST_PROXY="true") as application,
    ):
        print_table(attack(application.url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
