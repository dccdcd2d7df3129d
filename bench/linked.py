"""A running application with many linked organizations, and what to wait for with them."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from tests.application import Application, until
from tests.qr_reading import read

QUIET_SECONDS = 5.0
SAMPLE_SECONDS = 0.1
PATIENCE_SECONDS = 180.0


class Linked:
    """An application and its linked organizations.

    All times are of the wall clock, because the product's own `since` is: what is measured from
    outside and what the product says of itself can then be compared.
    """

    def __init__(self, application: Application, size: int) -> None:
        self.application = application
        self.size = size
        self.organizations: list[int] = []

    def link_all(self, at_once: int) -> None:
        """Make the organizations and link every one, `at_once` at a time."""
        names = [f"Fleet {number}" for number in range(self.size)]
        self.organizations = self.application.new_organizations(*names)
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self._link, self.organizations))
        self.wait_online(0)

    def _link(self, organization: int) -> None:
        self.application.simulator.scan(decode(self.first_picture(organization)[0]))
        self.application.wait_for_state(organization, "connected", PATIENCE_SECONDS)

    def first_picture(self, organization: int) -> tuple[str, int]:
        """Ask until there is a QR code. Returns its URL, and how often "later" was the answer."""
        later = 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            answer = self.application.api("POST", organization, "reconnect", PATIENCE_SECONDS)
            if answer.status == 200:
                return str(answer.body["qrCode"]), later
            assert answer.status == 202, answer
            later += 1
        raise AssertionError(f"no QR code within {PATIENCE_SECONDS:g} s")

    # --- Waiting --------------------------------------------------------------------------------

    def wait_online(self, logins: int) -> float:
        """Until the simulator has seen so many logins and all devices are online. Returns when."""

        def all_online() -> bool:
            stats = self.application.simulator.stats()
            again = stats["logins"] - logins >= self.size
            return again and stats["online"] == stats["connections"] == self.size

        until(all_online, PATIENCE_SECONDS, "all devices online at the simulator")
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
            body = self.application.api("GET", organization, "status").body
            since = datetime.fromisoformat(body["since"]).timestamp()
            return since if body["state"] == "connected" and since > after else None

        return float(until(look, PATIENCE_SECONDS, f"organization {organization} connected again"))

    def settle(self) -> None:
        """Until nothing has logged in, dialled, started or ended for a while."""
        quiet_from, before = time.monotonic(), self._traces()

        def quiet() -> bool:
            nonlocal quiet_from, before
            if (now := self._traces()) != before:
                quiet_from, before = time.monotonic(), now
            return time.monotonic() - quiet_from > QUIET_SECONDS

        until(quiet, PATIENCE_SECONDS, "a settled application")

    def _traces(self) -> tuple[int, int, set[int]]:
        time.sleep(SAMPLE_SECONDS)  # Looking is not free, and is done for seconds.
        stats = self.application.simulator.stats()
        return stats["logins"], stats["dials"], self.application.processes()


def decode(picture: str) -> str:
    """What the QR code in an answer says."""
    return read(base64.b64decode(picture.removeprefix("data:image/png;base64,")))


@contextmanager
def running(folder: Path) -> Iterator[Application]:
    """An application, of which nothing is left at the end, whatever happens."""
    application = Application(folder, RECONNECTS_PER_CALLER="1000")
    try:
        application.start()
        yield application
    finally:
        try:
            application.stop()
        finally:
            for pid in application.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
