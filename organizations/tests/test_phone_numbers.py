"""Numbers as people write them."""

import pytest

from organizations.phone_numbers import digits, e164, formatted, same_number


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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5511987654321", "551187654321"),  # Brazil: the ninth digit
        ("5521998765432", "552198765432"),
        ("5215512345678", "525512345678"),  # Mexico: a 1 for mobiles
        ("5491123456789", "541123456789"),  # Argentina: a 9 for mobiles
        ("491701234567", "491701234567"),
    ],
)
def test_one_account_has_two_spellings(one: str, other: str) -> None:
    assert same_number(one, other) and same_number(other, one)
    assert same_number(one, one) and same_number(other, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5511987654321", "5511987654322"),
        ("5511987654321", "5521987654321"),  # another area
        ("5511987654321", "5511887654321"),  # only a 9 is left out
        ("5511987654321", "551198765432"),  # nor is it the last digit that is left out
        ("551187654321", "541187654321"),
        ("5215512345678", "525512345679"),
        ("5225512345678", "525512345678"),
        ("5491123456789", "541123456780"),
        ("5481123456789", "541123456789"),
        ("14155550123", "4155550123"),
        ("491701234567", "4901701234567"),
        ("491791234567", "49171234567"),  # no other country leaves out a 9
        ("5511987654321", ""),
    ],
)
def test_another_account_is_another_number(one: str, other: str) -> None:
    assert not same_number(one, other) and not same_number(other, one)
