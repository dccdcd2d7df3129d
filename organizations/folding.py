"""Folding of texts for searches that ignore accents and case."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """Return a text without accents and case: "Ótica São José" as "otica sao jose".

    Databases cannot do this alike: SQLite ignores the case of ASCII only, and PostgreSQL needs an
    extension for accents.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    # Not all marks (category M): the vowel signs of India's scripts are letters to their readers.
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign)).casefold()
