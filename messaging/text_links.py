"""Finds the links in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from organizations.names import BIDI_CONTROLS, FILLERS, JOINERS

URL = re.compile(r"https?://[^\s<>\"'`\\]+", re.IGNORECASE)
# What ends a sentence belongs to the sentence.
AFTER_URL = ".,;:!?)]}»”’"
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
KEPT = frozenset("\n\t") | JOINERS


def find_links(text: str) -> Iterator[tuple[int, str]]:
    """Yield the links in a text, each with its place."""
    for found in URL.finditer(text):
        url = found[0].rstrip(AFTER_URL)
        # An address that reads differently than it leads is no link.
        if not any(map(is_hidden, url)):
            yield found.start(), url


def first_link(text: str) -> str:
    """Return the first link in a text, "" if it has none."""
    return next((url for _, url in find_links(text)), "")


def is_hidden(character: str) -> bool:
    """Return whether a character is invisible, or changes the direction of writing."""
    if character in KEPT:
        return False
    hidden = unicodedata.category(character) in HIDDEN
    return hidden or character in BIDI_CONTROLS or character in FILLERS
