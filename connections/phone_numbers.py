"""Phone numbers as people write them."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat


def formatted(number: str) -> str:
    """`5511987654321` as `+55 11 98765-4321`; a number of no known shape keeps its digits."""
    if not number:
        return ""
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except NumberParseException:
        return f"+{number}"
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
