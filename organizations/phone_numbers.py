"""Phone numbers as people and WhatsApp write them."""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    parse,
)

INVALID = _("It must be a whole international number, like +5511987654321.")
FOREIGN = _(
    "“{part}” does not belong in a phone number. Write digits only, without letters or an "
    "extension, like +5511987654321."
)

# One account has two spellings where a digit may be left out: what stands before that digit, the
# digit, and what follows it. WhatsApp knows an account by one of them, people by either.
OPTIONAL_DIGITS = tuple(
    (digit, re.compile(f"({before}){digit}?({after})"))
    for before, digit, after in (
        # Brazil: the ninth digit of a mobile. Eight digits that begin with 2 to 5 are a landline.
        (r"55\d{2}", "9", r"(?![2-5])\d{8}"),
        # Mexico and Argentina: the digit for mobiles.
        ("52", "1", r"\d{10}"),
        ("54", "9", r"\d{10}"),
    )
)

SEPARATORS = frozenset("\t./()\u2212")


class ForeignCharacters(ValueError):
    """A text has letters, an extension, or another sign that no phone number has."""


def same_number(one: str, other: str) -> bool:
    """Return whether two numbers (digits) are one account, however they are spelled."""
    return one == other or other in spellings(one)


def spellings(number: str) -> tuple[str, ...]:
    """Return the other spellings (digits) of a number's account; most numbers have none."""
    for digit, pattern in OPTIONAL_DIGITS:
        if found := pattern.fullmatch(number):
            before, after = found.groups()
            short, long = f"{before}{after}", f"{before}{digit}{after}"
            return (long if number == short else short,)
    return ()


def formatted(number: str) -> str:
    """Return `5511987654321` as `+55 11 98765-4321`; a number of no known shape keeps its digits.

    WhatsApp's spelling is grouped like the one that people use: `+52 1 55 1234 5678`.
    """
    if not number:
        return ""
    for spelling in (number, *spellings(number)):
        parsed = _parsed(spelling)
        if parsed is not None and is_valid_number(parsed):
            return _respelled(format_number(parsed, PhoneNumberFormat.INTERNATIONAL), number)
    parsed = _parsed(number)
    if parsed is None:
        return f"+{number}"
    return format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


def _respelled(text: str, number: str) -> str:
    """Put the digits of a number into the text of another spelling, which has one more or less."""
    places = [at for at, character in enumerate(text) if character.isdigit()]
    if len(places) == len(number):
        return text
    for digit, pattern in OPTIONAL_DIGITS:
        if found := pattern.fullmatch(number):
            at = places[found.end(1)]
            if len(places) < len(number):
                return f"{text[:at]}{digit} {text[at:]}"
            return f"{text[:at]}{text[at + 1 :]}".replace("  ", " ")
    raise ValueError("a number with one spelling alone")


def e164(number: str) -> str | None:
    """Return `5511987654321` as `+5511987654321`, for programs; no number is None."""
    return f"+{number}" if number else None


def digits(text: str, *known: str) -> str:
    """Return the digits of an international phone number, in the spelling that the text has.

    A `+` or `00` may stand before it. It must be valid, itself or in another spelling of its
    account, or be one of the `known` numbers (digits), whatever those look like. Raises
    ForeignCharacters for letters and extensions, ValueError for anything else that is no number.
    """
    written = _written_digits(text)
    if any(same_number(written, number) for number in known):
        return written
    number = _without_trunk_prefix(written)
    for spelling in (number, *spellings(number)):
        parsed = _parsed(spelling)
        if parsed is not None and is_valid_number(parsed):
            return number
    raise ValueError(gettext(INVALID))


def _written_digits(text: str) -> str:
    """Return the digits that a text has, without separators, `+` and `00`. Raises ValueError."""
    compact, foreign = "", ""
    for character in unicodedata.normalize("NFKC", text).strip():
        if character.isdecimal():
            compact += str(unicodedata.decimal(character))
        elif character == "+":
            compact += character
        elif not _is_separator(character):
            foreign += character
            continue
        if foreign:
            break
    if foreign and foreign.isprintable():
        raise ForeignCharacters(gettext(FOREIGN).format(part=foreign))
    found = re.fullmatch(r"(?:\+|00)?(\d+)", compact)
    if found is None or foreign:
        raise ValueError(gettext(INVALID))
    return found[1]


def _is_separator(character: str) -> bool:
    """Return whether people group digits with it: spaces, dashes, dots, slashes, parentheses.

    Invisible marks of the direction of writing count, too: contacts are copied with them.
    """
    return character in SEPARATORS or unicodedata.category(character) in ("Zs", "Pd", "Cf")


def _without_trunk_prefix(number: str) -> str:
    """Return `491701234567` for `4901701234567`: a 0 is often written in parentheses there."""
    parsed = _parsed(number)
    if parsed is None:
        return number
    return format_number(parsed, PhoneNumberFormat.E164).lstrip("+")


def _parsed(number: str) -> PhoneNumber | None:
    try:
        return parse(f"+{number}")
    except NumberParseException:
        return None
