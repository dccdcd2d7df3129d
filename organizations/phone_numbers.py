"""Phone numbers as people write them."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

INVALID = "It must be a whole international number, like +5511987654321."


def formatted(number: str) -> str:
    """`5511987654321` as `+55 11 98765-4321`; a number of no known shape keeps its digits."""
    if not number:
        return ""
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
    try:
        number = phonenumbers.parse(text)
    except NumberParseException as error:
        raise ValueError(INVALID) from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError(INVALID)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164).lstrip("+")
