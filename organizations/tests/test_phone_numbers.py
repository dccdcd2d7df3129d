"""Numbers as people write them."""

import pytest

from organizations.phone_numbers import digits, e164, formatted


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("5511987654321", "+55 11 98765-4321"),
        ("491701234567", "+49 170 1234567"),
        ("14155550123", "+1 415-555-0123"),
        ("", ""),
        ("999", "+999"),
    ],
)
def test_a_number_is_written_with_its_country(number: str, text: str) -> None:
    assert formatted(number) == text


@pytest.mark.parametrize("number", ["5511987654321", "491701234567", "14155550123"])
def test_what_is_told_can_be_typed_again(number: str) -> None:
    assert digits(formatted(number)) == digits(e164(number) or "") == number


def test_no_number_is_told_as_none() -> None:
    assert e164("") is None
