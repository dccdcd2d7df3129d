"""Print each measured row, and format all rows as Markdown and JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

WIDTH = 62


@dataclass(frozen=True)
class Target:
    """The target of a figure: a maximum ratio to the peer, or an absolute minimum."""

    ratio: float | None = None
    at_least: float | None = None

    def as_text(self) -> str:
        if self.ratio is not None:
            return f"≤ {self.ratio:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:,.0f}"


@dataclass(frozen=True)
class Row:
    """A figure of each service, ours first."""

    key: str
    what: str
    unit: str
    runs: dict[str, list[float]]
    target: Target = Target()

    def median(self, name: str) -> float:
        return statistics.median(self.runs[name])

    @property
    def ratio(self) -> float | None:
        """Our median divided by the peer's; None without a peer."""
        if len(self.runs) < 2:
            return None
        ours, peers = (self.median(name) for name in list(self.runs)[:2])
        return ours / peers if peers else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target or a peer."""
        if self.target.at_least is not None:
            return self.median(next(iter(self.runs))) >= self.target.at_least
        if self.target.ratio is None or self.ratio is None:
            return None
        return self.ratio <= self.target.ratio

    def cells(self) -> list[str]:
        """Return the table cells: figures, ratio, target, and whether it is met."""
        figures = [format_runs(runs) for runs in self.runs.values()]
        ratio = [] if len(self.runs) < 2 else ["" if self.ratio is None else f"{self.ratio:.2f}"]
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return [self.what, self.unit, *figures, *ratio, self.target.as_text(), verdict]

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
        return {**named, "ratio": ratio, "target": self.target.as_text(), "met": self.met}


@dataclass
class Report:
    """Collects the rows, and prints each one when it is added."""

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
        """Yield the lines of a Markdown table."""
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
    """Return one line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def format_runs(runs: list[float]) -> str:
    """Return the median, with the minimum and the maximum of several runs."""
    median = short(statistics.median(runs))
    return f"{median} ({short(min(runs))} – {short(max(runs))})" if runs[1:] else median


def short(number: float) -> str:
    """Return a number with three significant digits at most; more would be noise."""
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f}"
