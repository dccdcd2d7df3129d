"""Processes are killed in the middle of a burst: each message is kept once, or named as lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.message_check import SETTINGS, ApplicationMessenger, look, settle
from tests.chaos.messages import MessageTraffic
from tests.support.application import Application, until
from tests.support.faults import processes
from tests.support.host_processes import host_of
from tests.support.linking import decode, link, online

TOTAL, PER_SECOND, KILLS = 200, 60.0, 2
SECONDS = 120.0


def kill_host(application: Application, organization: int) -> None:
    """Kill the host process that holds the organization's credentials."""
    processes.kill(host_of(application, organization))


def kill_product(application: Application, organization: int) -> None:
    """Kill all of the product, with the simulator, and start it again."""
    application.kill()
    application.start()


def kill_host_and_unlink(application: Application, organization: int) -> None:
    """Kill the host process, let the phone unlink the device at once, and link it again."""
    (device,) = application.simulator.devices()
    kill_host(application, organization)
    application.simulator.unlink(number=device["number"])
    application.wait_for_state(organization, "action_needed", SECONDS)
    answer = application.api("POST", organization, "reconnect")
    application.simulator.scan(decode(answer), number=device["number"])


def wait_until_written(application: Application, count: int) -> None:
    until(lambda: len(application.simulator.sent()) >= count, SECONDS, f"{count} messages")


@pytest.mark.parametrize("kill", [kill_host, kill_host_and_unlink, kill_product])
def test_kill_in_the_middle_of_a_burst_loses_nothing_in_silence(
    tmp_path: Path, kill: Callable[[Application, int], None]
) -> None:
    with Application(tmp_path / "data", (), **SETTINGS) as application:
        (organization,) = application.new_organizations("Padaria")
        number = link(application, organization)
        messenger = ApplicationMessenger(application)
        traffic = MessageTraffic(
            messenger, [organization], lambda _: number, TOTAL, PER_SECOND, random.Random(1)
        )
        traffic.start()
        for turn in range(1, KILLS + 1):
            written = turn * TOTAL // 2 // (KILLS + 2)
            wait_until_written(application, written)
            kill(application, organization)
            until(lambda: online(application, number), SECONDS, "online again")
        traffic.join(SECONDS)
        result = settle(
            messenger,
            traffic,
            lambda: look(messenger.simulator, [organization], {number: organization}),
            SECONDS,
        )
    print("\n".join(result.report_lines()))
    assert not result.problems, "\n".join(result.problems)
