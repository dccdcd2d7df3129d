"""The rows, the table and the page that `make bench` writes."""

from __future__ import annotations

import pytest

from bench import __main__ as program
from bench import document, earlier
from bench.report import Report, Row, Target

OURS, PEER = "this product", "Baileys peer"
NOT_MORE = Target(ratio=1.0)


def row(ours: list[float], peer: list[float] | None, target: Target) -> Row:
    runs = {OURS: ours} if peer is None else {OURS: ours, PEER: peer}
    return Row("key", "what", "ms", runs, target)


@pytest.mark.parametrize(
    ("ours", "peer", "met"), [(80.0, 100.0, True), (81.0, 100.0, False), (0.0, 100.0, True)]
)
def test_ratio_is_compared_with_its_target(ours: float, peer: float, met: bool) -> None:
    found = row([ours, ours, 9999.0], [peer, 0.0, 9999.0], Target(ratio=0.8))
    assert found.ratio == pytest.approx(ours / peer)
    assert found.met is met


@pytest.mark.parametrize(("ours", "met"), [(2.0, True), (2.1, False)])
def test_absolute_target_needs_no_peer(ours: float, met: bool) -> None:
    assert row([ours], None, Target(at_most=2)).met is met
    assert row([ours], [0.001], Target(at_most=2)).met is met


@pytest.mark.parametrize(
    ("ours", "peer", "met"), [(2.0, 1.0, True), (2.1, 1.0, False), (2.0, 0.5, False)]
)
def test_target_with_two_limits_needs_both(ours: float, peer: float, met: bool) -> None:
    assert row([ours], [peer], Target(ratio=3.0, at_most=2.0)).met is met
    assert row([ours], None, Target(ratio=3.0, at_most=2.0)).met is None


def test_incomparable_figures_have_no_verdict() -> None:
    assert row([1.0], None, Target(ratio=0.8)).met is None
    assert row([1.0], [0.0], Target(ratio=0.8)).ratio is None
    assert row([1.0], [2.0], Target()).met is None


def test_table_has_medians_spreads_ratios_and_verdicts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report()
    report.add("a", "A thing", "ms", {OURS: [90.0, 60.0, 75.0], PEER: [50.0]}, Target(ratio=1.2))
    report.add("b", "Another", "s", {OURS: [0.5], PEER: [2.0]})
    assert list(report.table()) == [
        "|  | unit | this product | Baileys peer | ratio | target |  |",
        "| --- | --- | --: | --: | --: | --- | --- |",
        "| A thing | ms | 75.0 (60.0 – 90.0) | 50.0 | 1.50 | ≤ 1.2 | **missed** |",
        "| Another | s | 0.50 | 2.00 | 0.25 |  |  |",
    ]
    printed = capsys.readouterr().out
    assert "A thing" in printed and "missed" in printed and "*" not in printed


def test_ratios_of_the_page_before_stand_beside_those_of_a_run() -> None:
    report = Report()
    for key, ours in (("a", 1.0), ("b", 1.19), ("c", 1.21), ("d", 1.0)):
        report.add(key, f"Thing {key}", "ms", {OURS: [ours], PEER: [1.0]})
    first = document.section("codes", report, {"load average before": "1.00"}, "make bench")
    assert earlier.ratios(first) == {"Thing a": 1, "Thing b": 1.19, "Thing c": 1.21, "Thing d": 1}
    again = Report()
    for key in ("a", "b", "c", "new"):
        again.add(key, f"Thing {key}", "ms", {OURS: [1.0], PEER: [1.0]})
    second = document.section("codes", again, {}, "make bench", first)
    assert "| --- | --- | --: | --: | --: | --: | --- | --- |" in second
    for before in ("Thing a | ms | 1.00 | 1.00 | 1.00 | 1.00 |", "| 1.00 | 1.19 |"):
        assert before in second
    assert "| 1.00 | 1.21 ≠ |" in second and "Thing new | ms | 1.00 | 1.00 | 1.00 |  |" in second
    assert "| before | measured 20" in second and "| before |" not in first


def test_table_of_one_service_has_no_ratio() -> None:
    report = Report()
    report.add("a", "A thing", "ms", {OURS: [1234.5]}, Target(at_most=2000))
    assert list(report.table())[-1] == "| A thing | ms | 1,234 | ≤ 2000 ms | met |"


def test_each_shape_has_a_ratio_and_gaps_are_empty() -> None:
    report = Report()
    report.add("a", "A thing", "ms", {OURS: [1.0], PEER: [2.0], "in production": [3.0]}, NOT_MORE)
    report.add("b", "Another", "×", {"in production": [1.5]})
    assert list(report.table()) == [
        "|  | unit | this product | Baileys peer | in production | ratio | ratio in production |"
        " target |  |",
        "| --- | --- | --: | --: | --: | --: | --: | --- | --- |",
        "| A thing | ms | 1.00 | 2.00 | 3.00 | 0.50 | 1.50 | ≤ 1 | met |",
        "| Another | × |  |  | 1.50 |  |  |  |  |",
    ]


def test_rows_are_compared_with_the_peer_of_the_report() -> None:
    report = Report(peer="empty")
    report.add("a", "A page", "ms", {"after a year": [3.0], "empty": [2.0]}, Target(ratio=1.5))
    assert report.rows[0].ratio == 1.5
    assert report.rows[0].met


def test_json_keeps_every_run() -> None:
    result = row([3.0, 1.0, 2.0], [4.0], Target(ratio=0.8)).as_json()
    ours = {"median": 2.0, "min": 1.0, "max": 3.0, "runs": [3.0, 1.0, 2.0]}
    assert result["services"][OURS] == ours
    assert (result["ratio"], result["target"], result["met"]) == (0.5, "≤ 0.8", True)


def section(part: str, what: str) -> tuple[str, list[str]]:
    """Return a part of the page with one row, and the lines of its table."""
    report = Report()
    report.add("a", what, "ms", {OURS: [1.0], PEER: [2.0]})
    facts = {**document.facts(), "load average before": "0.1 0.2 0.3", "Baileys peer": "Node v24"}
    return document.section(part, report, facts, f"make {part}"), list(report.table())


@pytest.mark.parametrize("part", document.PARTS)
def test_section_has_table_machine_and_command(part: str) -> None:
    text, table = section(part, "A thing")
    for line in table:
        assert line in text
    for fact in ("processor", "GiB", "Linux", "Python", "neonize", "0.1 0.2 0.3", "Node v24"):
        assert fact in text
    assert f"| command | `make {part}` |" in text


def test_section_says_whom_its_rows_flatter() -> None:
    report = Report()
    report.add("drop_seen", "what", "s", {OURS: [1.0], PEER: [2.0]})
    report.add("unbiased", "what", "s", {OURS: [1.0], PEER: [2.0]})
    assert document.biases(report).startswith("\nWhom a row flatters:\n\n- Eight clients flatter")
    assert document.biases(Report()) == ""


def test_part_that_was_not_measured_stays_in_the_page() -> None:
    links, messages = section("links", "A link")[0], section("messages", "A message")[0]
    whole = document.page({"links": links, "messages": messages})
    assert links in whole and messages in whole
    assert document.page({"messages": messages}, whole) == whole
    newer = document.page({"links": section("links", "Another")[0]}, whole)
    assert "Another" in newer and "A link" not in newer and messages in newer


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("", "make bench"),
        ("--json /tmp/a --document /tmp/b --rounds 2", "make bench"),
        (
            "--only messages codes --busy-seconds 7",
            'make bench BENCH="--busy-seconds 7.0 --only messages codes"',
        ),
        ("--organizations 5 20 --outage", 'make bench BENCH="--organizations 5 20 --outage"'),
    ],
)
def test_command_repeats_the_measurement(arguments: str, command: str) -> None:
    assert program.command(program.arguments().parse_args(arguments.split())) == command
