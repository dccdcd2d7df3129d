"""The rows, the table and the page that `make bench` writes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

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
        "| A thing | ms | 75.0 (60.0 – 90.0) | 50.0 (one run) | 1.50 | ≤ 1.2 | **missed** |",
        "| Another | s | 0.50 (one run) | 2.00 (one run) | 0.25 |  |  |",
    ]
    printed = capsys.readouterr().out
    assert "A thing" in printed and "missed" in printed and "*" not in printed


def test_figures_of_the_page_before_stand_beside_those_of_a_run() -> None:
    report = Report()
    for key, ours in (("a", 1.0), ("b", 1.19), ("c", 1.21), ("d", 1.0)):
        report.add(key, f"Thing {key}", "ms", {OURS: [ours], PEER: [1.0]})
    first = document.section("codes", report, {"load average before": "1.00"}, "make bench")
    assert earlier.figures(first)["Thing b"] == {OURS: 1.19, PEER: 1.0, "ratio": 1.19}
    assert list(earlier.figures(first)) == ["Thing a", "Thing b", "Thing c", "Thing d"]
    again = Report()
    for key in ("a", "b", "c", "new"):
        again.add(key, f"Thing {key}", "ms", {OURS: [1.0, 1.0], PEER: [1.0, 1.0]})
    second = document.section("codes", again, {}, "make bench", first)
    assert "| --- | --- | --: | --: | --: | --: | --- | --- |" in second
    for what, before in (("a", "1.00"), ("b", "1.19"), ("c", "1.21 ≠"), ("new", "")):
        same = "1.00 (1.00 – 1.00)"
        assert f"| Thing {what} | ms | {same} | {same} | 1.00 | {before} |" in second
    assert "| before | measured 20" in second and "| before |" not in first


def test_each_ratio_is_compared_with_its_own_of_the_page_before() -> None:
    def report(ours: float, production: float) -> Report:
        found = Report()
        runs = {OURS: [ours], PEER: [1.0], "in production": [production]}
        found.add("a", "Thing", "ms", runs)
        return found

    before = earlier.figures("\n".join(["", *report(1.0, 2.0).table()]))
    (*_, line) = report(1.1, 3.0).table(before)
    assert "| 1.10 | 3.00 | 1.00 · 2.00 ≠ |" in line
    (*_, line) = report(1.1, 3.0).table({"Thing": {"ratio": 2.0}})
    assert "| 1.10 | 3.00 | 2.00 ≠ · – |" in line


def test_figure_with_a_target_of_its_own_is_compared_too() -> None:
    report = Report()
    report.add("a", "Thing", "ms", {OURS: [3.0], PEER: [1.5]}, Target(at_most=2))
    (*_, line) = report.table({"Thing": {OURS: 2.0, "ratio": 2.0}})
    assert "| 2.00 | 2.00 ms ≠ · 2.00 |" in line


def test_page_as_committed_is_read() -> None:
    page = program.DOCUMENT.read_text()
    for part, row, columns in (
        ("codes", "scan → the status says connected", ["ratio", "ratio in production"]),
        ("links", "idle CPU with 200", [OURS, PEER, "in production", "ratio"]),
        ("history", "fleet page", ["after a year", "ratio", "ratio with a first page"]),
    ):
        assert earlier.figures(document._section_of(part, page))[row].keys() >= set(columns)


@pytest.mark.parametrize(
    ("ours", "peer", "cells"),
    [
        (20.0, 94.0, "| 20.0 (one run) | 94.0 (one run) | 0.21 |"),
        (20.0, 95.0, "| 20.0 (one run) | ≥ 95.0 (one run) | ≤ 0.21 |"),
        (100.0, 50.0, "| ≥ 100 (one run) | 50.0 (one run) | ≥ 2.00 |"),
        (100.0, 99.0, "| ≥ 100 (one run) | ≥ 99.0 (one run) | – |"),
    ],
)
def test_figure_of_a_service_that_gave_all_that_was_asked_for_is_a_bound(
    ours: float, peer: float, cells: str
) -> None:
    report = Report()
    report.add("a", "Answers", "answers/s", {OURS: [ours], PEER: [peer]}, limit=100)
    table = list(report.table())
    assert cells in table[-1]
    read = earlier.figures("\n".join(["", *table]))["Answers"]
    assert (read[OURS], read[PEER]) == (ours, peer) and ("ratio" in read) is ("–" not in cells)


def test_table_of_one_service_has_no_ratio() -> None:
    report = Report()
    report.add("a", "A thing", "ms", {OURS: [1234.5]}, Target(at_most=2000))
    assert list(report.table())[-1] == "| A thing | ms | 1,234 (one run) | ≤ 2000 ms | met |"


def test_each_shape_has_a_ratio_and_gaps_are_empty() -> None:
    report = Report()
    runs = {OURS: [1.0] * 2, PEER: [2.0] * 2, "in production": [3.0] * 2}
    report.add("a", "A thing", "ms", runs, NOT_MORE)
    report.add("b", "Another", "×", {"in production": [1.5]})
    assert list(report.table()) == [
        "|  | unit | this product | Baileys peer | in production | ratio | ratio in production |"
        " target |  |",
        "| --- | --- | --: | --: | --: | --: | --: | --- | --- |",
        "| A thing | ms | 1.00 (1.00 – 1.00) | 2.00 (2.00 – 2.00) | 3.00 (3.00 – 3.00) | 0.50 |"
        " 1.50 | ≤ 1 | met |",
        "| Another | × |  |  | 1.50 (one run) |  |  |  |  |",
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


def test_section_names_the_commit_and_that_of_the_page_before(tmp_path: Path) -> None:
    report = Report()
    report.add("a", "Thing", "ms", {OURS: [1.0], PEER: [2.0]})
    first = document.section("codes", report, {}, "make bench", source="commit abc1234")
    assert " UTC, commit abc1234 |" in first
    second = document.section("codes", report, {}, "make bench", first, "commit def5678")
    assert " UTC, commit def5678 |" in second
    assert re.search(r"\| before \| measured 20.* UTC, commit abc1234 \|", second)
    assert document.commit(tmp_path) == ""


def test_commit_says_whether_the_source_was_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "docs").mkdir()
    for name in ("source.py", "docs/benchmarks.md"):
        (tmp_path / name).write_text("1")
    git("add", ".")
    git("-c", "user.name=bench", "-c", "user.email=b@example.org", "commit", "-m", "one")
    assert re.fullmatch(r"commit [0-9a-f]{7,}", document.commit(tmp_path))
    (tmp_path / "docs" / "benchmarks.md").write_text("2")
    assert "with changes" not in document.commit(tmp_path)
    (tmp_path / "source.py").write_text("2")
    assert document.commit(tmp_path).endswith(" with changes")


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
