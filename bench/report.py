"""The figures of a fleet: as rows of plain text while they are measured, and as JSON at the end."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

HEADING = f"  {'':<60}{'median':>9}{'min – max':>19}  {'unit':<9}{'to beat':>9}"

TO_BEAT: dict[tuple[str, int], float] = {
    ("memory_linked", 50): 457,
    ("memory_linked", 200): 569,
    ("memory_restarted", 200): 328,
    ("idle", 200): 2.3,
    ("kill_online", 200): 8.4,
    ("drop_online", 200): 6.9,
    ("drop_status", 200): 8.3,
    ("crowd", 50): 2.8,
    ("crowd", 200): 2.8,
}
"""By figure and number of organizations: measured on a machine like this one, for a competent Node
service with all its Baileys sockets in one process. Lower is better."""


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, once or several times."""

    key: str
    what: str
    unit: str
    runs: list[float]
    to_beat: float | None

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def row(self) -> str:
        """Its row in the table. One that is worse than the figure to beat is marked."""
        spread = f"{_short(min(self.runs))} – {_short(max(self.runs))}" if self.runs[1:] else ""
        beat = "" if self.to_beat is None else _short(self.to_beat)
        worse = " WORSE" if self.to_beat is not None and self.median > self.to_beat else ""
        return (
            f"  {self.what:<60}{_short(self.median):>9}{spread:>19}  {self.unit:<9}{beat:>9}{worse}"
        ).rstrip()

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "what": self.what,
            "unit": self.unit,
            "median": round(self.median, 3),
            "min": round(min(self.runs), 3),
            "max": round(max(self.runs), 3),
            "runs": [round(run, 3) for run in self.runs],
            "to_beat": self.to_beat,
        }


@dataclass
class Report:
    """The figures of a fleet of so many organizations; each is printed as soon as it is known."""

    organizations: int
    figures: list[Figure] = field(default_factory=list)

    def heading(self) -> None:
        print(f"\n{self.organizations} linked organizations\n{HEADING}", flush=True)

    def add(self, key: str, what: str, unit: str, runs: list[float]) -> None:
        figure = Figure(key, what, unit, runs, TO_BEAT.get((key, self.organizations)))
        self.figures.append(figure)
        print(figure.row(), flush=True)

    def as_json(self) -> dict[str, Any]:
        return {
            "organizations": self.organizations,
            "figures": [figure.as_json() for figure in self.figures],
        }


def _short(number: float) -> str:
    """Three digits are more than the noise of a machine leaves good."""
    digits = 0 if number >= 100 or number.is_integer() else 1 if number >= 10 else 2
    return f"{number:.{digits}f}"
