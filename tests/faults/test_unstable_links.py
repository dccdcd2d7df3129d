"""Links that WhatsApp lets in and drops: tried in pauses, told by name, back by themselves."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest

from tests.support.application import Application, until
from tests.support.linking import link

ORGANIZATIONS, SECONDS = 20, 60.0
MOST_LOGINS, MOST_CPU = 6, 0.1  # for each organization; of one core
BACK_SECONDS = 120.0
LINKS_AT_ONCE = 4
METRIC = re.compile(
    r'^whatsapp_orgs_organizations{[^}]*reason="link_unstable"[^}]*} (\d+)', re.MULTILINE
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Application, dict[int, str]]]:
    """A product with so many linked organizations, and their numbers."""
    with Application(tmp_path_factory.mktemp("unstable") / "data") as application:
        ids = application.new_organizations(*(f"Organization {n}" for n in range(ORGANIZATIONS)))
        with ThreadPoolExecutor(LINKS_AT_ONCE) as pool:
            numbers = list(pool.map(lambda one: link(application, one), ids))
        yield application, dict(zip(ids, numbers, strict=True))


def test_unstable_links_are_retried_with_pauses_and_recover(
    fleet: tuple[Application, dict[int, str]],
) -> None:
    application, numbers = fleet
    simulator = application.simulator
    logins, cpu = simulator.stats()["logins"], cpu_seconds(application)
    fault = simulator.arm("drop_after_login")
    started = time.monotonic()
    simulator.arm("drop")
    wait_for_all(lambda: reasons(application, numbers) == {"link_unstable"}, 30, "unstable")
    one = application.api("GET", min(numbers), "status").body
    assert (one["state"], one["isConnected"]) == ("reconnecting", False)
    assert re.search(r"dropped \d+ times in a row", one["detail"])
    assert one["since"] and one["retryAt"]
    with urlopen(urljoin(application.url, "/metrics"), timeout=10) as answer:
        assert METRIC.findall(answer.read().decode()) == [str(ORGANIZATIONS)]
    time.sleep(max(0.0, started + SECONDS - time.monotonic()))
    seconds = time.monotonic() - started
    tried = simulator.stats()["logins"] - logins
    used = (cpu_seconds(application) - cpu) / seconds
    simulator.clear_faults(fault)
    ended = time.monotonic()
    wait_for_all(lambda: states(application, numbers) == {"connected"}, BACK_SECONDS, "back")
    print(
        f"{tried / ORGANIZATIONS:.1f} logins of each of {ORGANIZATIONS} in {seconds:.0f} s, "
        f"{used:.1%} of a core, all back after {time.monotonic() - ended:.0f} s"
    )
    assert tried <= ORGANIZATIONS * MOST_LOGINS
    assert used < MOST_CPU
    for organization in numbers:
        assert lines_since_the_link(application, organization) <= 6


def wait_for_all(look: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a state of all: each look is a request for each of them."""
    until(look, seconds, f"all are {what}", longest_pause=1.0)


def states(application: Application, organizations: dict[int, str]) -> set[str]:
    return {application.api("GET", one, "status").body["state"] for one in organizations}


def reasons(application: Application, organizations: dict[int, str]) -> set[str]:
    return {application.api("GET", one, "status").body["reason"] for one in organizations}


def lines_since_the_link(application: Application, organization: int) -> int:
    """How much of the history the whole of it took."""
    path = f"/api/v1/organizations/{organization}/events?kind=connection&pageSize=200"
    lines = application.request("GET", path).body["results"]
    return [line["reason"] for line in lines].index("linked")


def cpu_seconds(application: Application) -> float:
    """What all processes of the product have used; the simulator is not the product's."""
    ticks = 0
    for pid in application.processes():
        folder = Path(f"/proc/{pid}")
        if b"simulator" in (folder / "cmdline").read_bytes():
            continue
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
