"""The current QR code and its lifetime, by the number of codes in WhatsApp's set."""

from __future__ import annotations

import pytest

from connections.code_lifetimes import qr_code_seconds, seconds_to_the_last
from connections.worker.tasks.rotation import Rotation

# For how many seconds whatsmeow shows each code of a set of so many codes.
LIFETIMES = {
    1: [20],
    3: [20, 20, 20],
    6: [60, 20, 20, 20, 20, 20],
    8: [20, 20, 60, 20, 20, 20, 20, 20],
}


def code(reference: str, secret: str = "secret") -> str:
    """Return a code as the library writes it."""
    return f"https://wa.me/settings/linked_devices#2@{reference},noise,identity,{secret},1"


@pytest.mark.parametrize("count", LIFETIMES)
def test_each_code_is_valid_for_as_long_as_the_library_shows_it(count: int) -> None:
    seconds = LIFETIMES[count]
    numbers = range(1, count + 1)
    assert [qr_code_seconds(number, count) for number in numbers] == seconds
    remaining = [sum(seconds[number - 1 :]) for number in numbers]
    assert [seconds_to_the_last(number, count) for number in numbers] == remaining


@pytest.mark.parametrize("count", LIFETIMES)
def test_announced_codes_are_counted_from_the_first_to_the_last(count: int) -> None:
    rotation = Rotation()
    rotation.announce(count)
    shown = []
    for number in range(1, count + 1):
        rotation.show(code(f"reference {number}"))
        shown.append((rotation.number, rotation.count, rotation.seconds))
    lasts = LIFETIMES[count]
    assert shown == [(number, count, lasts[number - 1]) for number in range(1, count + 1)]
    assert rotation.seconds_in_all == lasts[-1]


def test_same_reference_again_is_the_same_code_for_its_full_time() -> None:
    rotation = Rotation()
    rotation.announce(6)
    for secret in ("old", "new", "newest"):
        rotation.show(code("a", secret))
        assert (rotation.number, rotation.seconds, rotation.seconds_in_all) == (1, 60, 160)
    for secret in ("newest", "the one after"):
        rotation.show(code("b", secret))
        assert (rotation.number, rotation.seconds, rotation.seconds_in_all) == (2, 20, 100)


def test_reference_is_found_without_an_address_before_it() -> None:
    rotation = Rotation()
    rotation.show("2@a,noise,identity,old")
    rotation.show("2@a,noise,identity,new")
    assert rotation.number == 1
    rotation.show("2@b,noise,identity,new")
    assert rotation.number == 2


def test_another_announcement_begins_anew() -> None:
    rotation = Rotation()
    rotation.announce(6)
    rotation.show(code("a"))
    rotation.show(code("b"))
    rotation.announce(3)
    assert (rotation.number, rotation.count) == (0, 3)
    rotation.show(code("b"))
    assert (rotation.number, rotation.count, rotation.seconds) == (1, 3, 20)


def test_unannounced_codes_count_as_a_full_set_and_more_where_there_are_more() -> None:
    rotation = Rotation()
    assert (rotation.number, rotation.count) == (0, 6)
    for number in range(1, 8):
        rotation.show(code(f"reference {number}"))
    assert (rotation.number, rotation.count, rotation.seconds) == (7, 7, 20)
