"""Parsing, comparing and formatting of phone numbers."""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_type,
    format_number,
    is_valid_number,
    parse,
    region_code_for_number,
)

INVALID = _("It must be a whole international number, like +5511987654321.")
FOREIGN = _(
    "“{part}” does not belong in a phone number. Write digits only, without letters or an "
    "extension, like +5511987654321."
)

# Numbers in which one digit is optional, so that one account has two spellings: the part before the
# digit, the digit, and the part after it. WhatsApp uses one of the spellings, people either.
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
    """The text has letters, an extension, or another character that phone numbers do not have."""


def same_number(one: str, other: str) -> bool:
    """Return whether two numbers (digits) are the same account in any spelling."""
    return one == other or other in spellings(one)


def spellings(number: str) -> tuple[str, ...]:
    """Return the other spellings (digits) of a number's account; most numbers have none."""
    for digit, pattern in OPTIONAL_DIGITS:
        if found := pattern.fullmatch(number):
            before, after = found.groups()
            short, long = f"{before}{after}", f"{before}{digit}{after}"
            return (long if number == short else short,)
    return ()


def format_phone_number(number: str) -> str:
    """Return `5511987654321` as `+55 11 98765-4321`, or `+` and the digits of an unknown format.

    WhatsApp's spelling is grouped like the common one: `+52 1 55 1234 5678`.
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
    """Add or remove the optional digit in a formatted text, so that it has the number's digits."""
    positions = [index for index, character in enumerate(text) if character.isdigit()]
    if len(positions) == len(number):
        return text
    for digit, pattern in OPTIONAL_DIGITS:
        if found := pattern.fullmatch(number):
            index = positions[found.end(1)]
            if len(positions) < len(number):
                return f"{text[:index]}{digit} {text[index:]}"
            return f"{text[:index]}{text[index + 1 :]}".replace("  ", " ")
    raise ValueError("a number with one spelling alone")


def e164(number: str) -> str | None:
    """Return `5511987654321` as `+5511987654321` (E.164), and None for ""."""
    return f"+{number}" if number else None


def parse_phone_number(text: str, *known: str, home: str = "") -> str:
    """Return the digits of a phone number with its country code, in the spelling of the text.

    It may begin with `+` or `00`. It must be valid in one of its account's spellings, or be one of
    the `known` numbers (digits), which need not be valid. Without `+` and `00` it may also be
    written as within the country of `home` (digits). Raises ForeignCharacters for letters and
    extensions, and ValueError for any other text.
    """
    prefix, written = _written_digits(text)
    if any(same_number(written, number) for number in known):
        return written
    if not prefix and (region := _region(home)):
        number = _digits_of(written, region)
        if _is_valid(number):
            return number
    number = _digits_of(f"+{written}") or written
    if _is_valid(number):
        return number
    raise ValueError(gettext(INVALID))


def example_number(home: str) -> str:
    """Return a mobile number as it is written within the country of `home` (digits).

    Return "" if that country is not known.
    """
    region = _region(home)
    example = example_number_for_type(region, PhoneNumberType.MOBILE) if region else None
    return format_number(example, PhoneNumberFormat.NATIONAL) if example else ""


def _region(number: str) -> str | None:
    """Return the country of a number (digits) as two letters, if it is known."""
    for spelling in (number, *spellings(number)):
        parsed = _parsed(spelling)
        if parsed is not None and (region := region_code_for_number(parsed)):
            return region
    return None


def _is_valid(number: str) -> bool:
    """Return whether one of the spellings of a number (digits) is a valid number."""
    found = (_parsed(spelling) for spelling in (number, *spellings(number)))
    return any(parsed is not None and is_valid_number(parsed) for parsed in found)


def _written_digits(text: str) -> tuple[str, str]:
    """Return `+`, `00` or "", and the digits behind it, without separators. Raises ValueError."""
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
    found = re.fullmatch(r"(\+|00)?(\d+)", compact)
    if found is None or foreign:
        raise ValueError(gettext(INVALID))
    return found[1] or "", found[2]


def _is_separator(character: str) -> bool:
    """Return whether it groups digits: a space, dash, dot, slash or parenthesis.

    Invisible direction marks count, too: numbers copied from contacts contain them.
    """
    return character in SEPARATORS or unicodedata.category(character) in ("Zs", "Pd", "Cf")


def _digits_of(text: str, region: str | None = None) -> str:
    """Return a number's digits with country code; "" if it is none.

    `491701234567` for `+4901701234567`: a 0 is often written in parentheses there. `region`: the
    country in which a text without + is written.
    """
    try:
        parsed = parse(text, region)
    except NumberParseException:
        return ""
    return format_number(parsed, PhoneNumberFormat.E164).lstrip("+")


def _parsed(number: str) -> PhoneNumber | None:
    try:
        return parse(f"+{number}")
    except NumberParseException:
        return None
