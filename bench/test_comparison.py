"""A whole run in short form, of this product alone: every figure is there and means something."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import comparison, fleet, history, measure, polling
from bench.fleet import Statuses, peak
from bench.forwarding import ForwardingProduct, Talking, Times
from bench.linked import Linked
from bench.plan import Plan, running, turns
from bench.product import Product
from bench.receiver import Receiver
from bench.report import PEER, Report
from bench.service import Service

SHORT = Plan(
    sizes=(2,),
    rounds=1,
    each=1,
    crowd=3,
    quiet_seconds=0.5,
    status_seconds=0.5,
    idle_seconds=0.5,
    memory_pause=0.1,
    messages=2,
    talking=2,
    talking_seconds=2,
    talking_rate=1,
    many=4,
    poll_seconds=0.5,
    busy=2,
    busy_seconds=1,
    busy_rounds=1,
    history=600,
    history_organizations=3,
    page_rounds=3,
)
PAIRING = ["reconnect", "crowd", "scan", "again_code", "again_connected"]
STATUS = ["status_cpu", "status_rate", "status_latency"]
COSTS = ["link_2", "memory_2", *STATUS, "stop", "memory_restarted", "idle"]
RECOVERIES = ["kill_first", "kill", "kill_status", "drop", "drop_seen"]
MANY = ["many_cpu", "many_rate", "many_latency"]
BUSY = ["busy_cpu", "busy_memory", "busy_written", "busy_late", "busy_simulator", "busy_bench"]
WAYS = ["received", "received_p95", "accepted", "accepted_p95", "arrived", "arrived_p95"]
TIMES = [f"{how}_{way}" for how in ("one", "many") for way in WAYS]
PAGES = ["made", "page_metrics_first", *(f"page_{key}" for key in history.paths(1))]


def test_every_figure_of_this_product_is_measured() -> None:
    report = Report()
    with running([Product]) as services:
        comparison.codes(services, SHORT, report)
        fleets = [Linked(service, SHORT.quiet_seconds, stable_seconds=0) for service in services]
        comparison.costs(fleets, SHORT, report)
        comparison.recoveries(fleets, SHORT, report)
        polling.statuses_of_many(services, SHORT, report)
    assert [row.key for row in report.rows] == PAIRING + COSTS + RECOVERIES + MANY
    found = {row.key: row.median(Product.name) for row in report.rows}
    runs = {row.key: row.runs[Product.name] for row in report.rows}
    assert len(runs["memory_2"]) == len(runs["memory_restarted"]) == 3
    # Clock ticks of 10 ms: an idle product may use none, nor a few answers within half a second.
    assert all(found.pop(key) >= 0 for key in ("idle", "status_cpu", "many_cpu"))
    assert all(figure > 0 for figure in found.values()), found
    # Each of four organizations is asked for at most once a second.
    assert found["many_rate"] * SHORT.status_seconds <= 4
    assert found["kill_first"] <= found["kill"] <= found["kill_status"]


def test_messages_of_this_product_are_measured_both_ways() -> None:
    report = Report()
    with Receiver() as receiver, running([ForwardingProduct]) as services:
        talking = [Talking(service, receiver, SHORT.quiet_seconds) for service in services]
        comparison.times_of_messages(talking, SHORT, report)
        times = list(report.rows)
        comparison.cost_of_messages(talking, SHORT, report)
    assert [row.key for row in times] == TIMES
    for row in times:
        runs = row.runs[ForwardingProduct.name]
        several = 4 if row.key.startswith("many") else 2
        assert len(runs) == (1 if row.key.endswith("_p95") else several), row
        assert all(run > 0 for run in runs), row
    costs = {row.key: row.median(ForwardingProduct.name) for row in report.rows[len(times) :]}
    assert list(costs) == BUSY
    # Clock ticks of 10 ms: a few messages may cost the simulator none; and all may be in time.
    assert costs.pop("busy_simulator") >= 0 and costs.pop("busy_late") >= 0
    assert all(figure > 0 for figure in costs.values()), costs


def test_pages_with_a_history_are_measured() -> None:
    report = Report(peer=history.Empty.name)
    history.pages([history.Year], SHORT, report)
    assert [row.key for row in report.rows] == PAGES
    assert all(row.median(history.Year.name) > 0 for row in report.rows)


@pytest.mark.parametrize(("count", "place"), [(1, 0), (15, 14), (20, 18), (100, 94)])
def test_percentile_is_the_time_within_which_so_many_were_done(count: int, place: int) -> None:
    runs = [float(number) for number in range(count)]
    assert comparison.percentile(runs[::-1]) == place


@pytest.mark.parametrize(
    ("count", "name"),
    [(15, "the longest of 15"), (19, "the longest of 19"), (20, "95th percentile")],
)
def test_longest_of_a_few_is_no_percentile(count: int, name: str) -> None:
    report = Report()
    times = Times([1.0] * count, [1.0] * count, [1.0] * count)
    comparison.add_times(report, "one", "one at a time", {"this product": [times, times]})
    assert report.rows[1].what == f"message in → at the webhook, one at a time: {name}"


def test_answers_at_the_limit_of_what_is_asked_for_are_marked() -> None:
    report = Report()
    found = {"this product": [Statuses(20.0, 1.0, 1.0)], PEER: [Statuses(96.0, 1.0, 1.0)]}
    polling.add_statuses(report, "many", "100 not linked", found, 100)
    assert report.rows[1].cells()[2:5] == ["20.0 (one run)", "≥ 96.0 (one run)", "≤ 0.21"]


def test_memory_is_read_three_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleets = [Linked(kind(tmp_path / kind.name), quiet_seconds=0) for kind in (Product, Other)]
    readings = iter(range(6))
    monkeypatch.setattr(measure, "pss_mib", lambda _processes: next(readings))
    assert fleet.memory(fleets, 0.0) == {Product.name: [0, 2, 4], Other.name: [1, 3, 5]}


def test_services_alternate_in_reversed_order(tmp_path: Path) -> None:
    one, other = Product(tmp_path / "one"), Other(tmp_path / "other")
    order: list[str] = []

    def take(service: Service) -> int:
        order.append(service.name)
        return len(order)

    assert turns([one, other], 3, take) == {one.name: [1, 4, 5], other.name: [2, 3, 6]}


def test_fleet_has_the_name_of_its_service(tmp_path: Path) -> None:
    linked = Linked(Product(tmp_path), quiet_seconds=0)
    assert turns([linked], 1, lambda one: one.size) == {Product.name: [0]}


def test_peak_is_the_maximum_within_one_second() -> None:
    assert peak([(0.0, 10), (0.5, 12), (1.0, 20), (2.5, 25)]) == 10


def test_failed_start_shows_the_log_and_leaves_no_process(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = Broken(tmp_path / "broken")
    with pytest.raises(AssertionError, match="A broken one ended:\n.*cannot open"), broken:
        raise RuntimeError("it started")
    assert broken.simulator_server.process.poll() is not None
    assert not broken.processes()


def test_failure_shows_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), running([Other]) as (other,):
        other.log.write_text("the last words")
        began = other.processes()
        raise RuntimeError
    assert "The log of another ends:\nthe last words" in capfd.readouterr().err
    assert began and not other.processes()


class Other(Product):
    """Answers on its port, and does nothing else."""

    name = "another"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(self.port)]

    def prepare(self) -> None:
        self.token = "none"


class Broken(Other):
    name = "A broken one"

    def command(self) -> list[str]:
        return ["sh", "/nothing/there"]
