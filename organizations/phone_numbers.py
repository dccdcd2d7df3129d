"""Phone numbers as people write them.

`phonenumbers` and its tables are loaded when the first number is read or written.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

INVALID = _("It must be a whole international number, like +5511987654321.")


# WhatsApp still knows many accounts by an older spelling of their number than people use: Brazil
# without the ninth digit of a mobile, Mexico and Argentina with a digit for mobiles.
OLDER_SPELLINGS = (
    (re.compile(r"55(\d{2})9(\d{8})"), r"55\1\2"),
    (re.compile(r"521(\d{10})"), r"52\1"),
    (re.compile(r"549(\d{10})"), r"54\1"),
)


def same_number(one: str, other: str) -> bool:
    """Whether two numbers (digits) are one account, however WhatsApp or people spell it."""
    return _older_spelling(one) == _older_spelling(other)


def _older_spelling(number: str) -> str:
    for spelling, older in OLDER_SPELLINGS:
        if spelling.fullmatch(number):
            return spelling.sub(older, number)
    return number


def formatted(number: str) -> str:
    """`5511987654321` as `+55 11 98765-4321`; a number of no known shape keeps its digits."""
    if not number:
        return ""
    import phonenumbers
    from phonenumbers import NumberParseException, PhoneNumberFormat

    try:
        parsed = phonenumbers.parse(f"+{number}")
    except NumberParseException:
        return f"+{number}"
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


def e164(number: str) -> str | None:
    """`5511987654321` as `+5511987654321`, for programs; no number is None."""
    return f"+{number}" if number else None


def digits(text: str) -> str:
    """The digits of a phone number in E.164, as WhatsApp wants them. Raises ValueError."""
    import phonenumbers
    from phonenumbers import NumberParseException, PhoneNumberFormat

    try:
        number = phonenumbers.parse(text)
    except NumberParseException as error:
        raise ValueError(gettext(INVALID)) from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError(gettext(INVALID))
    return phonenumbers.format_number(number, PhoneNumberFormat.E164).lstrip("+")
