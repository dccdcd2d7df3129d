"""Numbers as people write them."""

import pytest

from organizations.phone_numbers import formatted


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
