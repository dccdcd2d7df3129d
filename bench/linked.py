"""A running service with linked organizations, and functions that wait for states."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from bench.service import Service
from bench.waiting import until
from tests.support.qr_reading import read_url

QUIET_SECONDS = 5.0
# As long as users' links: this product calls one unstable that drops within 30 s of its login, and
# waits longer and longer before it tries that again.
STABLE_SECONDS = 31.0
SAMPLE_SECONDS = 0.1
TIMEOUT_SECONDS = 180.0
LINKED_AT_ONCE = 4


class Linked:
    """A service and its linked organizations.

    All times are wall-clock times, to compare them with `since` of a status.
    """

    def __init__(
        self,
        service: Service,
        quiet_seconds: float = QUIET_SECONDS,
        stable_seconds: float = STABLE_SECONDS,
    ) -> None:
        self.service = service
        self.quiet_seconds = quiet_seconds
        self.stable_seconds = stable_seconds
        self._online_since = time.monotonic()
        self.organizations: list[int] = []
        self.monitors: list[str] = []
        """Tokens of clients that ask for all organizations."""

    @property
    def size(self) -> int:
        return len(self.organizations)

    def link(self, count: int) -> None:
        """Link `count` more organizations, some in parallel."""
        fresh = self.service.new_organizations(count)
        with ThreadPoolExecutor(LINKED_AT_ONCE) as pool:
            list(pool.map(self._link, fresh))
        self.organizations += fresh
        self.wait_online(0)

    def _link(self, organization: int) -> None:
        self.service.simulator.scan(decode(first_picture(self.service, organization)[0]))
        wait_for_state(self.service, organization, "connected")

    def settle(self) -> None:
        """Wait until the service is idle."""
        settle(self.service, self.quiet_seconds)
        self._online_since = time.monotonic()

    # --- Waiting --------------------------------------------------------------------------------

    def wait_online(self, logins: int) -> float:
        """Wait until all have logged in again and are online. Returns the time."""

        def all_online() -> bool:
            stats = self.service.simulator.stats()
            again = stats["logins"] - logins >= self.size
            return again and stats["online"] == stats["connections"] == self.size

        until(all_online, TIMEOUT_SECONDS, f"all devices of {self.service.name} online")
        self._online_since = time.monotonic()
        return time.time()

    def wait_stable(self) -> None:
        """Wait until all have been online for as long as users' links are, before a drop."""
        time.sleep(max(0.0, self._online_since + self.stable_seconds - time.monotonic()))

    def wait_login(self, logins: int) -> float:
        """Wait until one has logged in again. Returns the time."""
        simulator = self.service.simulator
        until(lambda: simulator.stats()["logins"] > logins, TIMEOUT_SECONDS, "a login")
        return time.time()

    def wait_status(self, after: float) -> tuple[float, float]:
        """Wait until every status is connected since a time after `after`.

        Returns the last `since`, and the time of the last response; the real time is between them.
        """
        last = max(self._connected_since(number, after) for number in self.organizations)
        return last, time.time()

    def _connected_since(self, organization: int, after: float) -> float:
        def condition() -> float | None:
            body = self.service.api("GET", organization, "status").body
            since = datetime.fromisoformat(body["since"]).timestamp()
            return since if body["state"] == "connected" and since > after else None

        return float(
            until(condition, TIMEOUT_SECONDS, f"organization {organization} connected again")
        )


def settle(service: Service, seconds: float) -> None:
    """Wait until there was no login, dial or process change for `seconds`."""

    def traces() -> tuple[int, int, set[int]]:
        time.sleep(SAMPLE_SECONDS)  # Polling costs CPU.
        stats = service.simulator.stats()
        return stats["logins"], stats["dials"], service.processes()

    quiet_from, before = time.monotonic(), traces()

    def quiet() -> bool:
        nonlocal quiet_from, before
        if (now := traces()) != before:
            quiet_from, before = time.monotonic(), now
        return time.monotonic() - quiet_from > seconds

    until(quiet, TIMEOUT_SECONDS, f"{service.name} at rest")


def first_picture(service: Service, organization: int) -> tuple[str, int]:
    """Reconnect until there is a QR code. Returns its URL, and the number of 202 responses."""
    later = 0
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        answer = service.api("POST", organization, "reconnect", TIMEOUT_SECONDS)
        if answer.status == 200 and answer.body["qrCode"]:
            return str(answer.body["qrCode"]), later
        assert answer.status == 202, (service.name, answer)
        later += 1
    raise AssertionError(f"no QR code of {service.name} within {TIMEOUT_SECONDS:g} s")


def wait_for_state(service: Service, organization: int, state: str) -> dict[str, Any]:
    """Wait for a state. Returns the status."""

    def condition() -> dict[str, Any] | None:
        body = service.api("GET", organization, "status").body
        return body if body["state"] == state else None

    found: dict[str, Any] = until(condition, TIMEOUT_SECONDS, f"state {state} at {service.name}")
    return found


def decode(picture: str) -> str:
    """Return the text of the QR code in a data URL."""
    return read_url(picture)
