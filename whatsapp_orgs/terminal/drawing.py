"""QR codes as characters of a terminal.

A character shows two modules, one above the other (half blocks). Where the window is too low for
that, it shows six (sextants, which not every font has).
"""

from __future__ import annotations

Modules = list[list[bool]]

# These two of the 256 colours are black and white in every theme.
BLACK_ON_WHITE, PLAIN = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
# The quiet zone that the standard asks for, in modules; half of it is enough for phones.
BORDER, SMALL_BORDER = 4, 2
HALVES = " ▀▄█"
SEXTANTS = 0x1FB00


def draw(
    modules: Modules, width: int, height: int, *, coloured: bool = True, inverted: bool = False
) -> list[str] | None:
    """Return the lines of a QR code, as large as the window lets them be; None if it is too small.

    Without colours the light modules are drawn in the terminal's own colour, which is right on a
    dark ground; `inverted`: the dark ones, for a light ground.
    """
    drawn_modules_are_dark = coloured or inverted
    for border, columns, rows in ((BORDER, 1, 2), (SMALL_BORDER, 2, 3)):
        lines = _lines(_framed(modules, border), columns, rows, drawn_modules_are_dark)
        if len(lines) <= height and len(lines[0]) <= width:
            return [f"{BLACK_ON_WHITE}{line}{PLAIN}" for line in lines] if coloured else lines
    return None


def size(modules: Modules) -> tuple[int, int]:
    """Return the columns and the lines of a code in half blocks."""
    side = len(modules) + 2 * BORDER
    return side, (side + 1) // 2


def _framed(modules: Modules, border: int) -> Modules:
    """Return the modules within a quiet zone."""
    empty = [False] * (len(modules) + 2 * border)
    around = [empty] * border
    middle = [[*empty[:border], *row, *empty[:border]] for row in modules]
    return [*around, *middle, *around]


def _lines(modules: Modules, columns: int, rows: int, dark: bool) -> list[str]:
    """Return the lines whose characters show so many modules each; `dark`: which are drawn."""
    side = len(modules)

    def character(top: int, left: int) -> str:
        bits = 0
        for index in range(columns * rows):
            y, x = top + index // columns, left + index % columns
            # What sticks out over the edge is part of the quiet zone.
            is_dark = y < side and x < side and modules[y][x]
            bits |= (is_dark == dark) << index
        return HALVES[bits] if columns == 1 else sextant(bits)

    tops, lefts = range(0, side, rows), range(0, side, columns)
    return ["".join(character(top, left) for left in lefts) for top in tops]


def sextant(bits: int) -> str:
    """Return the character with these of its six parts, the first one at the top left."""
    older = {0b000000: " ", 0b010101: "▌", 0b101010: "▐", 0b111111: "█"}
    if bits in older:
        return older[bits]
    return chr(SEXTANTS + bits - 1 - (bits > 0b010101) - (bits > 0b101010))
