"""The modules of a QR code, by tables that are made once for each size.

The package `qrcode` takes 3 ms for a code of WhatsApp's, all of it while no one else in the process
can work; this takes a tenth, and the tests hold it to the same modules. It knows what is needed
here: bytes, the lowest error correction, one mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

import qrcode

# A fixed mask: trying all eight takes most of the time and helps no phone.
MASK = 2
BYTE_MODE = 0b0100
PADDING = bytes((0xEC, 0x11))
LARGEST = 40
Pick = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True)
class Size:
    """What is the same for all codes of one version."""

    side: int
    data_bytes: int
    blocks: tuple[tuple[int, int], ...]  # for each: bytes of data, bytes of error correction
    modules: int  # that hold data
    mask: int  # the mask's bits on them
    pick: Pick  # from those bits, followed by "0" and "1", all modules row by row


def matrix(text: str) -> list[str]:
    """The rows of the code without a border, "1" for a dark module. Raises ValueError."""
    data = text.encode()
    version = next((v for v in range(1, LARGEST + 1) if _room(v) >= len(data)), None)
    if version is None:
        raise ValueError("this is too long for a QR code")
    size = _size(version)
    codewords = _codewords(data, version, size)
    spare = size.modules - 8 * len(codewords)
    bits = (int.from_bytes(codewords, "big") << spare) ^ size.mask
    cells = "".join(size.pick(f"{bits:0{size.modules}b}01"))
    return [cells[at : at + size.side] for at in range(0, len(cells), size.side)]


def _length_bits(version: int) -> int:
    return 8 if version < 10 else 16


@cache
def _room(version: int) -> int:
    """How many bytes of text fit."""
    return (8 * sum(data for data, _ in _blocks(version)) - 4 - _length_bits(version)) // 8


def _codewords(data: bytes, version: int, size: Size) -> bytes:
    """The data with its frame, in blocks with their error correction, interleaved."""
    length = _length_bits(version)
    head = BYTE_MODE << length | len(data)
    # Four bits end the text; with the mode's four, that makes whole bytes.
    framed = (head << (8 * len(data)) | int.from_bytes(data, "big")) << 4
    stream = framed.to_bytes((4 + length + 4) // 8 + len(data), "big")[: size.data_bytes]
    missing = size.data_bytes - len(stream)
    stream += (PADDING * (missing // 2 + 1))[:missing]
    pieces, checks, at = [], [], 0
    for count, correction in size.blocks:
        piece = stream[at : at + count]
        pieces.append(piece)
        checks.append(_remainder(piece, correction))
        at += count
    return _interleaved(pieces) + _interleaved(checks)


def _interleaved(pieces: list[bytes]) -> bytes:
    longest = max(map(len, pieces))
    return bytes(piece[at] for at in range(longest) for piece in pieces if at < len(piece))


def _remainder(data: bytes, correction: int) -> bytes:
    """The Reed-Solomon bytes: the remainder of a division, a byte at a time."""
    multiples, shift = _multiples(correction), 8 * (correction - 1)
    low, rest = (1 << shift) - 1, 0
    for byte in data:
        rest = ((rest & low) << 8) ^ multiples[(rest >> shift) ^ byte]
    return rest.to_bytes(correction, "big")


@cache
def _multiples(correction: int) -> list[int]:
    """The generator polynomial, without its first term, times each byte."""
    generator, root = [1], 1
    for _ in range(correction):
        times = [*(_product(one, root) for one in generator)]
        generator = [a ^ b for a, b in zip([*generator, 0], [0, *times], strict=True)]
        root = _product(root, 2)
    return [
        int.from_bytes(bytes(_product(one, byte) for one in generator[1:]), "big")
        for byte in range(256)
    ]


def _product(one: int, other: int) -> int:
    """In the field of 256 elements that QR codes use."""
    product = 0
    while other:
        product ^= one * (other & 1)
        one = (one << 1) ^ (0x11D * (one >> 7))
        other >>= 1
    return product


# --- From the package: what the standard says of each version ------------------------------------


@cache
def _blocks(version: int) -> tuple[tuple[int, int], ...]:
    found = qrcode.base.rs_blocks(version, qrcode.ERROR_CORRECT_L)
    return tuple((block.data_count, block.total_count - block.data_count) for block in found)


@cache
def _size(version: int) -> Size:
    """Draws an empty code, and sees where its data would be."""
    blocks = _blocks(version)
    empty: Any = qrcode.QRCode(version, qrcode.ERROR_CORRECT_L, mask_pattern=MASK)
    empty.modules_count = side = version * 4 + 17
    empty.data_cache = b""
    order: list[tuple[int, int]] = []

    class Recorded(list[Any]):
        """A row that notes which modules were filled, in their order."""

        def __init__(self, row: list[Any], number: int) -> None:
            super().__init__(row)
            self.number = number

        def __setitem__(self, column: Any, value: Any) -> None:
            order.append((self.number, column))
            super().__setitem__(column, value)

    empty.map_data = lambda *_: None
    empty.makeImpl(False, MASK)
    del empty.map_data
    empty.modules = [Recorded(row, number) for number, row in enumerate(empty.modules)]
    fixed = [list(row) for row in empty.modules]
    # No data at all leaves the mask alone.
    empty.map_data(b"", MASK)
    mask = int("".join("01"[empty.modules[row][column]] for row, column in order), 2)
    places = {cell: number for number, cell in enumerate(order)}
    picked = [
        places.get((row, column), len(order) + bool(fixed[row][column]))
        for row in range(side)
        for column in range(side)
    ]
    data = sum(count for count, _ in blocks)
    return Size(side, data, blocks, len(order), mask, itemgetter(*picked))
