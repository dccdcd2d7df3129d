"""The parts of `bench.growth` that need no cluster."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from typing import Any

import pytest

from bench.cluster_sample import Sample, between
from bench.growth import costs, milliseconds, parse, table
from bench.measure import cpu_seconds
from bench.steady_traffic import SteadyTraffic, person_of, schedule
from simulator.client import ControlClient
from tests.chaos.message_assertions import Seen
from tests.chaos.message_tables import LogEntry, MessageRow, Tables
from tests.support.application import Answer

PARTS = ("web", "workers", "hosts", "postgres", "redis", "simulator")
BURN = "import time\nwhile time.process_time() < 0.3: pass"


class FakeMessenger:
    """An API and people that take every message."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.said: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @property
    def simulator(self) -> ControlClient:
        return self  # type: ignore[return-value]

    def save_person(self, number: str) -> None:
        """Take it."""

    def say(self, number: str, to: str, _text: str) -> None:
        with self._lock:
            self.said.append((number, to))

    def call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> Answer:
        with self._lock:
            self.calls.append(path)
            return Answer(202, {"id": f"m{len(self.calls)}"}, {}, 0.03)

    def manage(self, *arguments: str) -> str:
        raise NotImplementedError


def test_schedule_has_one_of_each_kind_in_each_interval() -> None:
    def act(_organization: int, _number: str) -> None: ...

    plan = schedule({1: "a", 2: "b"}, (act, act), 60.0, 180.0, random.Random(1))
    assert len(plan) == 2 * 2 * 3
    assert [due for due, _, _ in plan] == sorted(due for due, _, _ in plan)
    for minute in range(3):
        due_then = [one for due, _, one in plan if 60 * minute <= due < 60 * minute + 60]
        assert sorted(due_then) == [1, 1, 2, 2]


def test_steady_traffic_writes_each_way_for_each_organization() -> None:
    messenger = FakeMessenger()
    traffic = SteadyTraffic(messenger)
    traffic.start({7: "5511", 8: "5512"}, per_minute=600, seconds=0.3)
    traffic.join()
    assert sorted(messenger.said) == sorted(
        [(person_of(7), "5511"), (person_of(8), "5512")] * 3,
    )
    assert len(messenger.calls) == 6
    assert not traffic.problems and not traffic.unanswered
    assert traffic.count(0, float("inf")) == 12


def test_latencies_are_of_the_period_alone() -> None:
    traffic = SteadyTraffic(FakeMessenger())
    traffic.start({7: "5511"}, per_minute=600, seconds=0.1)
    traffic.join()
    (ask,) = traffic.ledger.all()
    at = ask.asked_at
    tables = Tables(
        [MessageRow(7, ask.id, "out", "sent", "", "w1", 1, at + 0.01, at + 0.2, 0.0)],
        [LogEntry(7, number, "message.received", "", f"in{number}", "", 50.0) for number in (1, 2)],
    )
    sent = [{"id": "in1", "at": 49.5}, {"id": "in2", "at": 20.0}]
    received = {ask.person: [{"text": {"body": ask.text}, "at": at + 0.06}]}
    seen = Seen(sent, received, {}, {})
    found = traffic.latencies(tables, seen, 49.0, at + 1)
    assert found.to_accepted == [0.03]
    assert found.to_person == [pytest.approx(0.05)]
    assert found.to_log == [pytest.approx(0.5)]
    assert traffic.latencies(tables, seen, at + 1, at + 2).to_person == []


def test_cost_of_a_message_is_what_rest_does_not_use() -> None:
    def sample(at: float, cpu: float, transactions: float) -> Sample:
        return Sample(at, dict.fromkeys(PARTS, cpu), {"transactions": transactions})

    rest = between(sample(0, 0, 0), sample(10, 1, 100))
    busy = between(sample(0, 0, 0), sample(20, 6, 1200))
    figures = costs(busy, rest, 100)
    assert figures["web: CPU of a message, ms"] == pytest.approx(40)
    assert figures["web with traffic, % of a core"] == pytest.approx(30)
    assert figures["transactions, a message"] == pytest.approx(10)
    assert "Redis commands, a message" not in figures


def test_table_has_a_dash_for_a_figure_that_one_size_lacks() -> None:
    lines = table([{"organizations": 10}, {"organizations": 100, "x, ms": 1.23}]).splitlines()
    assert lines == ["| organizations | 10 | 100 |", "|---|--:|--:|", "| x, ms | – | 1.2 |"]


def test_milliseconds_needs_two_values() -> None:
    assert milliseconds([0.1]) == "too few"
    assert milliseconds([0.1, 0.1]) == "100 · 100 · 100 · 100"


def test_cpu_of_ended_children_counts_only_when_it_is_asked_for() -> None:
    before, alone = cpu_seconds(os.getpid(), True), cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", BURN], check=True)
    assert cpu_seconds(os.getpid(), True) - before > 0.25
    assert cpu_seconds(os.getpid()) - alone < 0.25


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("--rate 0.2 --warm-seconds 60", "--warm-seconds must be 300 at least"),
        ("--warm-seconds 59", "--warm-seconds must be 60 at least"),
        ("--rate 0", "--rate must be above 0"),
    ],
)
def test_figures_of_first_messages_alone_are_refused(
    arguments: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(arguments.split())
    assert error in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "warm_seconds"),
    [("", 75), ("--rate 0.2", 375), ("--rate 0.2 --warm-seconds 300", 300)],
)
def test_traffic_before_the_figures_fits_the_rate(arguments: str, warm_seconds: float) -> None:
    assert parse(arguments.split()).warm_seconds == warm_seconds


@pytest.mark.parametrize(
    ("arguments", "with_traffic"),
    [("", [10, 100, 1000]), ("--idle", []), ("--idle-from 1000", [10, 100])],
)
def test_last_sizes_may_be_idle(arguments: str, with_traffic: list[int]) -> None:
    options = parse(arguments.split())
    assert [size for size in options.sizes if size < options.idle_from] == with_traffic
