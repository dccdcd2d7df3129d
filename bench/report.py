"""Print each measured row, and format all rows as Markdown and JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.earlier import agree

WIDTH = 76
PEER = "Baileys peer"
# A service that gave this part of what was asked for, or more, has not shown how much it can.
AT_LIMIT = 0.95
UNKNOWN = "–"

Earlier = Mapping[str, Mapping[str, float]]
"""The numbers of an earlier table: by what a row measures, and by the heading of their column."""


@dataclass(frozen=True)
class Target:
    """The target of a figure: a maximum ratio to the peer, and an absolute maximum."""

    ratio: float | None = None
    at_most: float | None = None

    def as_text(self, unit: str) -> str:
        absolute = "" if self.at_most is None else f"≤ {self.at_most:g} {unit}"
        relative = "" if self.ratio is None else f"≤ {self.ratio:g}"
        return ", ".join(text for text in (absolute, relative) if text)


@dataclass(frozen=True)
class Row:
    """A figure of each service, ours first. `peer`: the one that the others are divided by."""

    key: str
    what: str
    unit: str
    runs: dict[str, list[float]]
    target: Target = Target()
    peer: str = PEER
    limit: float | None = None
    """What was asked for: a service that gave nearly all of it could perhaps give more."""

    def median(self, name: str) -> float:
        return statistics.median(self.runs[name])

    @property
    def ours(self) -> str:
        return next(iter(self.runs))

    @property
    def ratio(self) -> float | None:
        """Our median divided by the peer's; None without a peer."""
        return self.ratio_of(self.ours)

    def ratio_of(self, name: str) -> float | None:
        if name not in self.runs or self.peer not in self.runs or name == self.peer:
            return None
        return self.median(name) / self.median(self.peer) if self.median(self.peer) else None

    def is_at_limit(self, name: str) -> bool:
        """Return whether a service gave nearly all that was asked for."""
        return self.limit is not None and self.median(name) >= AT_LIMIT * self.limit

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target, or where there is no ratio for it."""
        verdicts = []
        if self.target.at_most is not None:
            verdicts.append(self.median(self.ours) <= self.target.at_most)
        if self.target.ratio is not None:
            if self.ratio is None:
                return None
            verdicts.append(self.ratio <= self.target.ratio)
        return all(verdicts) if verdicts else None

    def cells(self, names: Sequence[str] = (), before: Earlier | None = None) -> list[str]:
        """Return the table cells: figures, ratios, target, and whether it is met.

        `names`: the services of the table, where this row lacks some. `before`: the figures of the
        page that is replaced; with them there is a cell for what is compared.
        """
        names = names or list(self.runs)
        shown = [self._figure_text(name) if name in self.runs else "" for name in names]
        compared = [name for name in names if name != self.peer] if self.peer in names else []
        ratios = [self._ratio_text(name) for name in compared]
        if before is not None:
            ratios.append(self._before_text(compared, before.get(self.what, {})))
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        target = self.target.as_text(self.unit)
        return [self.what, self.unit, *shown, *ratios, target, verdict]

    def _figure_text(self, name: str) -> str:
        text = format_runs(self.runs[name])
        return f"≥ {text}" if self.is_at_limit(name) else text

    def _ratio_text(self, name: str) -> str:
        ratio = self.ratio_of(name)
        if ratio is None:
            return ""
        if self.is_at_limit(name) and self.is_at_limit(self.peer):
            return UNKNOWN
        bound = "≥ " if self.is_at_limit(name) else "≤ " if self.is_at_limit(self.peer) else ""
        return f"{bound}{ratio:.2f}"

    def _before_text(self, compared: Sequence[str], before: Mapping[str, float]) -> str:
        """Return what each ratio was before, and our figure if it has a target of its own."""
        parts = []
        if self.target.at_most is not None:
            was, now = before.get(self.ours), self.median(self.ours)
            parts.append(_compared(now, was, "" if was is None else f"{short(was)} {self.unit}"))
        for name in compared:
            was = before.get(ratio_heading(name, compared))
            known = self.ratio_of(name) if self._ratio_text(name) != UNKNOWN else None
            parts.append(_compared(known, was, "" if was is None else f"{was:.2f}"))
        return " · ".join(parts) if any(part != UNKNOWN for part in parts) else ""

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
        goal = {"target": self.target.as_text(self.unit), "met": self.met}
        return {**named, "asked for": self.limit, "ratio": ratio, **goal}


@dataclass
class Report:
    """Collects the rows, and prints each one when it is added."""

    rows: list[Row] = field(default_factory=list)
    peer: str = PEER

    def add(
        self,
        key: str,
        what: str,
        unit: str,
        runs: dict[str, list[float]],
        target: Target | None = None,
        limit: float | None = None,
    ) -> None:
        row = Row(key, what, unit, runs, target or Target(), self.peer, limit)
        self.rows.append(row)
        _, _, *figures = row.cells()
        shown = "  ".join(cell.replace("*", "") for cell in figures if cell)
        print(f"  {what:<{WIDTH}} {unit:<10} {shown}".rstrip(), flush=True)

    def table(self, before: Earlier | None = None) -> Iterator[str]:
        """Yield the lines of a Markdown table. `before`: the figures of the one it replaces."""
        names = list(dict.fromkeys(name for row in self.rows for name in row.runs))
        compared = [name for name in names if name != self.peer] if self.peer in names else []
        ratios = [ratio_heading(name, compared) for name in compared]
        if not (before and compared):
            before = None
        else:
            ratios.append("before")
        figures = ["--:"] * (len(names) + len(ratios))
        yield line(["", "unit", *names, *ratios, "target", ""])
        yield line(["---", "---", *figures, "---", "---"])
        for row in self.rows:
            yield line(row.cells(names, before))

    def as_json(self) -> list[dict[str, Any]]:
        return [row.as_json() for row in self.rows]


def line(cells: list[str]) -> str:
    """Return one line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def ratio_heading(name: str, compared: Sequence[str]) -> str:
    """Return the heading of a ratio; that of the first service needs no name."""
    return "ratio" if name == compared[0] else f"ratio {name}"


def format_runs(runs: list[float]) -> str:
    """Return the median, with the minimum and the maximum of several runs, or "one run"."""
    median = short(statistics.median(runs))
    return (
        f"{median} ({short(min(runs))} – {short(max(runs))})" if runs[1:] else f"{median} (one run)"
    )


def _compared(now: float | None, was: float | None, text: str) -> str:
    if now is None or was is None:
        return UNKNOWN
    return text if agree(now, was) else f"{text} ≠"


def short(number: float) -> str:
    """Return a number with three significant digits at most; more would be noise."""
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:,.{digits}f}"
