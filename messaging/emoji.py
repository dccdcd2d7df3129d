"""Whether a text is one emoji, as a reaction carries it."""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH = 32

JOINER, VARIATION = "\u200d", "\ufe0f"
KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
# A symbol, its variation, its skin tone, and the tags of a region's flag.
ELEMENT = re.compile("(.)\ufe0f?[\U0001f3fb-\U0001f3ff]?\ufe0f?(?:[\U000e0020-\U000e007f]*)")
# Emoji that Unicode does not count among the symbols: ‼ ⁉ 〰 and others.
OTHERS = frozenset("\u203c\u2049\u3030\u303d\u3297\u3299\u00a9\u00ae\u2122\u2139")


def is_one_emoji(text: str) -> bool:
    """Return whether a text is a single emoji, however many characters it is made of."""
    if not 0 < len(text) <= MAX_LENGTH:
        return False
    if KEYCAP.fullmatch(text) or FLAG.fullmatch(text):
        return True
    return all(_is_element(part) for part in text.split(JOINER))


def _is_element(part: str) -> bool:
    found = ELEMENT.fullmatch(part)
    return found is not None and (found[1] in OTHERS or _is_symbol(found[1]))


def _is_symbol(character: str) -> bool:
    if FLAG.fullmatch(2 * character):
        return False  # Half a flag.
    return character > "\u00ff" and unicodedata.category(character) in ("So", "Sm")
