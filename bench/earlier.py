"""The figures of the page that a measurement replaces, to tell which ones agree with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import dropwhile, takewhile

AGREE_WITHIN = 0.2
"""Figures of two runs agree if the larger one is at most this part above the smaller one."""

# A figure or a ratio, perhaps as a bound; what follows, such as the spread, is of no interest.
NUMBER = re.compile(r"(?:[≤≥] )?([\d,]+(?:\.\d+)?)(?: |$)")


def figures(section: str) -> dict[str, dict[str, float]]:
    """Return the numbers of each row of a part of the page, by the headings of their columns.

    The rows by what they measure. A figure is its median; cells without a number are left out.
    """
    if "\n| " not in section:
        return {}
    lines = dropwhile(lambda line: not line.startswith("| "), section.splitlines())
    (_, *headings), _rule, *rows = map(_cells, takewhile(lambda line: line.startswith("| "), lines))
    return {what: _numbers(headings, cells) for what, *cells in rows}


def _numbers(headings: Sequence[str], cells: Sequence[str]) -> dict[str, float]:
    found = ((name, NUMBER.match(cell)) for name, cell in zip(headings, cells, strict=False))
    return {name: float(number[1].replace(",", "")) for name, number in found if number}


def agree(figure: float, before: float) -> bool:
    """Return whether two figures of one row agree."""
    low, high = sorted((figure, before))
    return high <= low * (1 + AGREE_WITHIN)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
