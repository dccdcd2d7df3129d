"""The ratios of the page that a measurement replaces, to tell which ones agree with it."""

from __future__ import annotations

from contextlib import suppress

AGREE_WITHIN = 0.2
"""Ratios of two runs agree if the larger one is at most this part above the smaller one."""


def ratios(section: str) -> dict[str, float]:
    """Return the ratio of each row of a part of the page, by what the row measures."""
    rows = [_cells(line) for line in section.splitlines() if line.startswith("| ")]
    if not rows or "ratio" not in rows[0]:
        return {}
    place, found = rows[0].index("ratio"), {}
    for cells in rows[1:]:
        # The rule below the heading, rows without a ratio, and the table of the machine.
        with suppress(ValueError, IndexError):
            found[cells[0]] = float(cells[place].replace(",", ""))
    return found


def agree(ratio: float, before: float) -> bool:
    """Return whether two ratios of one row agree."""
    low, high = sorted((ratio, before))
    return high <= low * (1 + AGREE_WITHIN)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
