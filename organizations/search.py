"""The search for organizations by name or number, on every page and in the API."""

from __future__ import annotations

from django.db.models import Q

from organizations.folding import fold
from organizations.phone_numbers import spellings

MAX_LENGTH = 200
"""So much of a text is searched: a condition for each word keeps a database busy."""
MAX_DIGITS = 20
MIN_DIGITS = 3
PHONE_CHARACTERS = frozenset("+-–().0123456789/ \u00a0\u202f\u2011")


def search_filter(text: str, organization: str = "", connection: str = "connection__") -> Q:
    """Return the rows with each word in the name, or with the digits in a number.

    Accents and case do not count. The numbers are the linked one and the expected one.
    `organization`, `connection`: the prefixes that lead to these from the rows; `connection` is a
    relation of the app `connections`. Only the first MAX_LENGTH characters of `text` count.
    """
    text = text[:MAX_LENGTH]
    matches = Q()
    for word in fold(text).split():
        matches &= Q(**{f"{organization}folded_name__contains": word})
    if is_number(text):
        digits = number_in(text)
        # People also write an international number with 00.
        number = digits.removeprefix("00") or digits
        for spelling in (number, *spellings(number)):
            matches |= Q(**{f"{connection}number__contains": spelling})
            matches |= Q(**{f"{organization}expected_number__contains": spelling})
    return matches


def number_in(text: str) -> str:
    """Return the digits of what looks like a number or a part of one, else ""."""
    if not set(text) <= PHONE_CHARACTERS:
        return ""
    return "".join(character for character in text if character.isascii() and character.isdigit())


def is_number(text: str) -> bool:
    """Return whether the text is searched in numbers, too."""
    return MIN_DIGITS <= len(number_in(text)) <= MAX_DIGITS
