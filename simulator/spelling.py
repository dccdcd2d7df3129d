"""The two spellings of mobile numbers in Brazil, Mexico and Argentina."""

from __future__ import annotations

import re

_WITHOUT_NINE = re.compile(r"55(\d\d)([6-9]\d{7})")
_WITHOUT_ONE = re.compile(r"52(\d{10})")
_WITHOUT_MOBILE_NINE = re.compile(r"54(\d{10})")


def canonical(number: str) -> str:
    """Return a number in the longer of its spellings; both spellings have the same one."""
    if match := _WITHOUT_NINE.fullmatch(number):
        return f"55{match[1]}9{match[2]}"
    if match := _WITHOUT_ONE.fullmatch(number):
        return f"521{match[1]}"
    if match := _WITHOUT_MOBILE_NINE.fullmatch(number):
        return f"549{match[1]}"
    return number
