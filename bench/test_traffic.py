"""How late a service is that accepts messages more slowly than they are due."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import forwarding
from bench.forwarding import Talking
from bench.traffic import measure_traffic


def slow_service(arrival_seconds: float) -> Talking:
    """Return a service whose messages arrive so long after the last one was accepted."""
    service = SimpleNamespace(
        all_processes=lambda: {os.getpid()},
        simulator_server=SimpleNamespace(process=SimpleNamespace(pid=os.getpid())),
    )

    def wait(*_: Any) -> None:
        time.sleep(arrival_seconds)

    talking = SimpleNamespace(service=service, wait_until_all_arrived=wait, settle=lambda: None)
    return cast(Talking, talking)


def accept_within(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it take so long until the last of 20 messages is accepted, with CPU of the bench."""

    def write_and_send(*_: Any) -> tuple[list[int], list[int]]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        return [0] * 10, [0] * 10

    monkeypatch.setattr(forwarding, "write_and_send", write_and_send)


def test_time_that_the_api_overran_counts_as_late(monkeypatch: pytest.MonkeyPatch) -> None:
    accept_within(0.4, monkeypatch)
    found = measure_traffic(slow_service(0.1), seconds=0.1, rate=1)
    assert found.late >= 0.39
    assert 0 < found.written <= 50
    assert found.bench > 0


def test_service_that_keeps_up_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    accept_within(0.01, monkeypatch)
    found = measure_traffic(slow_service(0.0), seconds=2, rate=1)
    assert (found.late, found.written) == (0, 10)
