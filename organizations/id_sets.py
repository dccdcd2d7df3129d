"""Sets of ids in forms and addresses, as short text: "3-5,9"."""

from __future__ import annotations

from collections.abc import Iterable

MAX_IDS = 20_000
MAX_ID_DIGITS = 18


class InvalidIds(ValueError):
    """The text does not name a set of ids, or names more than MAX_IDS."""


def format_ids(ids: Iterable[int]) -> str:
    """Return the ids in ascending order, with the ends of each run of neighbours."""
    runs: list[list[int]] = []
    for number in sorted(set(ids)):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def parse_ids(text: str) -> list[int]:
    """Return the ids in the order of the text, each once. Raises InvalidIds."""
    ids: dict[int, None] = {}
    for part in filter(None, text.split(",")):
        ends = [_parse_id(end) for end in part.split("-")]
        first, last = ends[0], ends[-1]
        if len(ends) > 2 or last < first or len(ids) + last - first >= MAX_IDS:
            raise InvalidIds
        ids.update(dict.fromkeys(range(first, last + 1)))
    return list(ids)


def _parse_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_ID_DIGITS):
        raise InvalidIds
    return int(text)
