"""The modules are those of the package, for codes of every size."""

import random
from typing import Any

import pytest
from qrcode import QRCode, util
from qrcode.constants import ERROR_CORRECT_L

from connections.qr_matrix import MASK, matrix

LENGTHS = [1, 17, 18, 32, 53, 78, 106, 134, 154, 192, 230, 231, 271, 272, 321, 700, 1500, 2953]


def by_the_package(text: str) -> list[str]:
    code: QRCode[Any] = QRCode(error_correction=ERROR_CORRECT_L, border=0, mask_pattern=MASK)
    # The mode of bytes.
    code.add_data(util.QRData(text.encode(), mode=4))
    return ["".join("01"[bool(dark)] for dark in row) for row in code.get_matrix()]


@pytest.mark.parametrize("length", LENGTHS)
def test_the_same_modules(length: int) -> None:
    dice = random.Random(length)
    text = "".join(dice.choices("abcXYZ0189/+=,#@:", k=length))
    assert matrix(text) == by_the_package(text)


def test_bytes_count_not_characters() -> None:
    text = "ção ✓ " * 4
    assert matrix(text) == by_the_package(text)


def test_nothing_has_a_code_too() -> None:
    assert len(matrix("")) == 21


def test_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        matrix("x" * 2954)
