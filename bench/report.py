"""What was measured: a row as soon as it is known, a document and JSON at the end."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

WIDTH = 62


@dataclass(frozen=True)
class Target:
    """What a figure should be: at most so much of the peer's, or at least so much by itself."""

    ratio: float | None = None
    at_least: float | None = None

    def words(self) -> str:
        if self.ratio is not None:
            return f"≤ {self.ratio:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:,.0f}"


@dataclass(frozen=True)
class Row:
    """One figure of every service that was measured, ours first."""

    key: str
    what: str
    unit: str
    runs: dict[str, list[float]]
    target: Target = Target()

    def median(self, name: str) -> float:
        return statistics.median(self.runs[name])

    @property
    def ratio(self) -> float | None:
        """Ours by the peer's; none without a peer."""
        if len(self.runs) < 2:
            return None
        ours, peers = (self.median(name) for name in list(self.runs)[:2])
        return ours / peers if peers else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; none when there is none, or nothing to compare with."""
        if self.target.at_least is not None:
            return self.median(next(iter(self.runs))) >= self.target.at_least
        if self.target.ratio is None or self.ratio is None:
            return None
        return self.ratio <= self.target.ratio

    def cells(self) -> list[str]:
        """Its cells in a table: the figures, the ratio, the target, and whether it is met."""
        figures = [told(runs) for runs in self.runs.values()]
        ratio = [] if len(self.runs) < 2 else ["" if self.ratio is None else f"{self.ratio:.2f}"]
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return [self.what, self.unit, *figures, *ratio, self.target.words(), verdict]

    def as_json(self) -> dict[str, Any]:
        services = {
            name: {
                "median": round(self.median(name), 3),
                "min": round(min(runs), 3),
                "max": round(max(runs), 3),
                "runs": [round(run, 3) for run in runs],
            }
            for name, runs in self.runs.items()
        }
        ratio = None if self.ratio is None else round(self.ratio, 3)
        named = {"key": self.key, "what": self.what, "unit": self.unit, "services": services}
        return {**named, "ratio": ratio, "target": self.target.words(), "met": self.met}


@dataclass
class Report:
    """All rows. Each is printed as soon as it is known."""

    rows: list[Row] = field(default_factory=list)

    def add(
        self,
        key: str,
        what: str,
        unit: str,
        runs: dict[str, list[float]],
        target: Target | None = None,
    ) -> None:
        row = Row(key, what, unit, runs, target or Target())
        self.rows.append(row)
        _, _, *figures = row.cells()
        shown = "  ".join(cell.replace("*", "") for cell in figures if cell)
        print(f"  {what:<{WIDTH}} {unit:<10} {shown}".rstrip(), flush=True)

    def table(self) -> Iterator[str]:
        """The rows as Markdown."""
        names = list(self.rows[0].runs)
        ratio = ["ratio"] if len(names) > 1 else []
        heading = ["", "unit", *names, *ratio, "target", ""]
        figures = ["--:"] * (len(names) + len(ratio))
        yield line(heading)
        yield line(["---", "---", *figures, "---", "---"])
        for row in self.rows:
            yield line(row.cells())

    def as_json(self) -> list[dict[str, Any]]:
        return [row.as_json() for row in self.rows]


def line(cells: list[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def told(runs: list[float]) -> str:
    """The median, and the spread where there were several runs."""
    median = short(statistics.median(runs))
    return f"{median} ({short(min(runs))} – {short(max(runs))})" if runs[1:] else median


def short(number: float) -> str:
    """Three digits are more than the noise of a machine leaves good."""
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f}"
