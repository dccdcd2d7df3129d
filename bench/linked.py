"""A running service with many linked organizations, and what to wait for with them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from bench.service import Service
from tests.support.application import until
from tests.support.qr_reading import read_url

QUIET_SECONDS = 5.0
SAMPLE_SECONDS = 0.1
PATIENCE_SECONDS = 180.0
LINKED_AT_ONCE = 4


class Linked:
    """A service and its linked organizations.

    All times are of the wall clock, because a status's `since` is: what is measured from outside
    and what a service says of itself can then be compared.
    """

    def __init__(self, service: Service, quiet_seconds: float = QUIET_SECONDS) -> None:
        self.service = service
        self.quiet_seconds = quiet_seconds
        self.organizations: list[int] = []

    @property
    def size(self) -> int:
        return len(self.organizations)

    def link(self, count: int) -> None:
        """Link so many more organizations, some at a time."""
        fresh = self.service.new_organizations(count)
        with ThreadPoolExecutor(LINKED_AT_ONCE) as pool:
            list(pool.map(self._link, fresh))
        self.organizations += fresh
        self.wait_online(0)

    def _link(self, organization: int) -> None:
        self.service.simulator.scan(decode(first_picture(self.service, organization)[0]))
        wait_for_state(self.service, organization, "connected")

    def settle(self) -> None:
        """Until the service has been at rest for a while."""
        settle(self.service, self.quiet_seconds)

    # --- Waiting --------------------------------------------------------------------------------

    def wait_online(self, logins: int) -> float:
        """Until the simulator has seen so many logins and all devices are online. Returns when."""

        def all_online() -> bool:
            stats = self.service.simulator.stats()
            again = stats["logins"] - logins >= self.size
            return again and stats["online"] == stats["connections"] == self.size

        until(all_online, PATIENCE_SECONDS, f"all devices of {self.service.name} online")
        return time.time()

    def wait_status(self, after: float) -> tuple[float, float]:
        """Until every status says connected since a time after `after`.

        A status from before the trouble must not count. Returns the last status's own `since`, and
        when the last answer was in: asking takes its time, so the truth lies between the two.
        """
        last = max(self._connected_since(number, after) for number in self.organizations)
        return last, time.time()

    def _connected_since(self, organization: int, after: float) -> float:
        def look() -> float | None:
            body = self.service.api("GET", organization, "status").body
            since = datetime.fromisoformat(body["since"]).timestamp()
            return since if body["state"] == "connected" and since > after else None

        return float(until(look, PATIENCE_SECONDS, f"organization {organization} connected again"))


def settle(service: Service, seconds: float) -> None:
    """Until nothing has logged in, dialled, started or ended for so long."""

    def traces() -> tuple[int, int, set[int]]:
        time.sleep(SAMPLE_SECONDS)  # Looking is not free, and is done for seconds.
        stats = service.simulator.stats()
        return stats["logins"], stats["dials"], service.processes()

    quiet_from, before = time.monotonic(), traces()

    def quiet() -> bool:
        nonlocal quiet_from, before
        if (now := traces()) != before:
            quiet_from, before = time.monotonic(), now
        return time.monotonic() - quiet_from > seconds

    until(quiet, PATIENCE_SECONDS, f"{service.name} at rest")


def first_picture(service: Service, organization: int) -> tuple[str, int]:
    """Ask until there is a QR code. Returns its URL, and how often "later" was the answer."""
    later = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = service.api("POST", organization, "reconnect", PATIENCE_SECONDS)
        if answer.status == 200 and answer.body["qrCode"]:
            return str(answer.body["qrCode"]), later
        assert answer.status == 202, (service.name, answer)
        later += 1
    raise AssertionError(f"no QR code of {service.name} within {PATIENCE_SECONDS:g} s")


def wait_for_state(service: Service, organization: int, state: str) -> dict[str, Any]:
    """The status once the organization is in `state`."""

    def look() -> dict[str, Any] | None:
        body = service.api("GET", organization, "status").body
        return body if body["state"] == state else None

    found: dict[str, Any] = until(look, PATIENCE_SECONDS, f"state {state} at {service.name}")
    return found


def decode(picture: str) -> str:
    """What the QR code in an answer says."""
    return read_url(picture)
