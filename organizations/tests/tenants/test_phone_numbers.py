"""Parsing, comparing and formatting of phone numbers."""

from collections.abc import Iterator

import pytest
from django.utils import translation

from organizations.phone_numbers import (
    FOREIGN,
    INVALID,
    ForeignCharacters,
    e164,
    example_number,
    format_phone_number,
    parse_phone_number,
    same_number,
    spellings,
)

# Pairs of spellings of one account: the common one, then WhatsApp's.
MEXICO = ("525512345678", "5215512345678")
BRAZIL = ("5511987654321", "551187654321")
ARGENTINA = ("5491123456789", "541123456789")
ACCOUNTS = (MEXICO, BRAZIL, ARGENTINA)
BOTH_SPELLINGS = [number for account in ACCOUNTS for number in account]
UNKNOWN = "999999999999"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Activate English, whatever language an earlier test left active."""
    with translation.override("en"):
        yield


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("5511987654321", "+55 11 98765-4321"),
        ("491701234567", "+49 170 1234567"),
        ("14155550123", "+1 415-555-0123"),
        ("525512345678", "+52 55 1234 5678"),
        ("5215512345678", "+52 1 55 1234 5678"),
        ("5218112345678", "+52 1 81 1234 5678"),
        ("551187654321", "+55 11 8765-4321"),
        ("541123456789", "+54 11 2345-6789"),
        ("5491123456789", "+54 9 11 2345-6789"),
        ("551132345678", "+55 11 3234-5678"),
        ("", ""),
        ("999", "+999"),
    ],
)
def test_number_is_formatted_internationally(number: str, text: str) -> None:
    assert format_phone_number(number) == text


@pytest.mark.parametrize("number", [*BOTH_SPELLINGS, "491701234567", "14155550123", "390612345678"])
def test_formatted_number_is_parsed_to_the_same_number(number: str) -> None:
    assert (
        parse_phone_number(format_phone_number(number))
        == parse_phone_number(e164(number) or "")
        == number
    )


def test_empty_number_is_formatted_as_empty() -> None:
    assert e164("") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5511987654321", "551187654321"),  # Brazil: the ninth digit
        ("5521998765432", "552198765432"),
        ("5215512345678", "525512345678"),  # Mexico: a 1 for mobiles
        ("5218112345678", "528112345678"),
        ("5491123456789", "541123456789"),  # Argentina: a 9 for mobiles
        ("491701234567", "491701234567"),
    ],
)
def test_two_spellings_are_the_same_number(one: str, other: str) -> None:
    assert same_number(one, other) and same_number(other, one)
    assert same_number(one, one) and same_number(other, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5511987654321", "5511987654322"),
        ("5511987654321", "5521987654321"),  # another area
        ("5511932345678", "551132345678"),  # a mobile and a landline
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
def test_different_accounts_are_different_numbers(one: str, other: str) -> None:
    assert not same_number(one, other) and not same_number(other, one)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_spellings_returns_the_other_spelling(account: tuple[str, str]) -> None:
    one, other = account
    assert (spellings(one), spellings(other)) == ((other,), (one,))
    assert same_number(one, other)


@pytest.mark.parametrize(
    "number",
    ["", "999", "491701234567", "14155550123", "551132345678", "5511932345678", "52155123456789"],
)
def test_number_without_an_optional_digit_has_no_other_spelling(number: str) -> None:
    assert spellings(number) == ()


@pytest.mark.parametrize("before", ["+", "00", "", "00 ", " + "])
@pytest.mark.parametrize("number", [*BOTH_SPELLINGS, "491701234567", "14155550123", "390612345678"])
def test_number_with_plus_or_zeros_or_neither_keeps_its_spelling(number: str, before: str) -> None:
    assert parse_phone_number(f"{before}{number}") == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+52 1 55 1234 5678", "5215512345678"),
        ("+52 55 1234 5678", "525512345678"),
        ("0052-1-55-1234-5678", "5215512345678"),
        ("+55 (11) 98765-4321", "5511987654321"),
        ("+55 (11) 8765-4321", "551187654321"),
        ("55.11.98765.4321", "5511987654321"),
        ("(+55) 11/98765-4321", "5511987654321"),
        ("+54 9 11 2345-6789", "5491123456789"),
        ("+54 11 2345-6789", "541123456789"),
        ("+54 11 15 2345-6789", "5491123456789"),  # used only within Argentina
        ("+49 (0)170 1234567", "491701234567"),
        ("+55 (0)11 8765-4321", "551187654321"),
        ("+55\u00a011\u202f98765\u20114321", "5511987654321"),
        ("+55 11 98765\u20134321", "5511987654321"),
        ("+55 11 98765\u22124321", "5511987654321"),
        ("\u202a+55 11 98765-4321\u202c", "5511987654321"),  # copied from a list of contacts
        ("\uff0b\uff15\uff1511987654321", "5511987654321"),
        ("\t+5511987654321\n", "5511987654321"),
    ],
)
def test_separators_are_skipped(text: str, number: str) -> None:
    assert parse_phone_number(text) == number


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("+1-800-FLOWERS", "FLOWERS"),
        ("nonsense", "nonsense"),
        ("+55 11 98765-4321 ramal 12", "ramal"),
        ("+55 11 98765-4321 ext. 12", "ext"),
        ("+55 11 98765-4321;ext=12", ";ext="),
        ("+55 11 98765-4321x12", "x"),
        ("+55 11 98765-4321 #12", "#"),
        ("+55 11 98765-4321*12", "*"),
        ("+55 11 98765-4321,12", ","),
        ("tel:+5511987654321", "tel:"),
        ("5511987654321@s.whatsapp.net", "@s"),
        ("+55 11 98765-432O", "O"),
        ("\u211e5511987654321", "\u211e"),
    ],
)
def test_letters_and_extensions_are_refused_and_named(text: str, part: str) -> None:
    with pytest.raises(ForeignCharacters) as refused:
        parse_phone_number(text)
    assert str(refused.value) == FOREIGN.format(part=part)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "+", "00", "0", "+55", "+55 11", "123", "+0", "+00 55 11 98765-4321"),
        *("0170 1234567", "11987654321", "+5511987654321 +5511987654321", "++5511987654321"),
        *("55+11987654321", "+5511\n987654321", "+55\0", "-()/.", "9" * 5000, f"+{UNKNOWN}"),
        *("+521551234567", "+52155123456789", "+55118765432", "+55119876543210", "+54911234567"),
        *("+525512345", "+52 044 55 1234 5678", "+5511087654321"),
    ],
)
def test_invalid_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_phone_number(text)
    assert str(refused.value) == INVALID
    assert not isinstance(refused.value, ForeignCharacters)


@pytest.mark.parametrize("text", [UNKNOWN, f"+{UNKNOWN}", f"00{UNKNOWN}", "+9999 9999-9999"])
def test_known_number_is_accepted_as_it_is(text: str) -> None:
    assert parse_phone_number(text, BRAZIL[0], UNKNOWN) == UNKNOWN


def test_known_number_is_accepted_in_its_other_spelling() -> None:
    with pytest.raises(ValueError):
        parse_phone_number("5210000000000")
    assert parse_phone_number("5210000000000", "520000000000") == "5210000000000"


@pytest.mark.parametrize("text", ["999999999998", "", "+", f"{UNKNOWN}x1"])
def test_known_number_does_not_allow_other_text(text: str) -> None:
    with pytest.raises(ValueError):
        parse_phone_number(text, UNKNOWN, "")


BRAZILIAN, GERMAN, MEXICAN = "5511987654321", "491701234567", "5215512345678"


@pytest.mark.parametrize(
    ("text", "home", "number"),
    [
        ("11 98765-4321", BRAZILIAN, "5511987654321"),
        ("(011) 98765-4321", BRAZILIAN, "5511987654321"),
        ("11 8765-4321", BRAZILIAN, "551187654321"),
        # Digits that are also a number of Germany.
        ("49 99123-4567", BRAZILIAN, "5549991234567"),
        ("+49 170 1234567", BRAZILIAN, "491701234567"),
        ("0049 170 1234567", BRAZILIAN, "491701234567"),
        ("491701234567", BRAZILIAN, "491701234567"),
        ("5511987654321", BRAZILIAN, "5511987654321"),
        ("0170 1234567", GERMAN, "491701234567"),
        ("55 1234 5678", MEXICAN, "525512345678"),
    ],
)
def test_number_may_be_written_as_within_the_country_of_home(
    text: str, home: str, number: str
) -> None:
    assert parse_phone_number(text, home=home) == number


@pytest.mark.parametrize("home", ["", "999999999999", GERMAN])
def test_national_number_of_another_country_is_refused(home: str) -> None:
    with pytest.raises(ValueError, match="whole international number"):
        parse_phone_number("11 98765-4321", home=home)


def test_example_is_written_as_within_the_country_of_home() -> None:
    assert parse_phone_number(example_number(BRAZILIAN), home=BRAZILIAN).startswith("55")
    assert example_number(GERMAN).startswith("0")
    assert example_number("") == example_number("999999999999") == ""
