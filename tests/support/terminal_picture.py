"""The picture that a terminal makes of block characters, so that a QR code can be read from it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html import escape
from itertools import groupby

from PIL import Image

from whatsapp_orgs.terminal.drawing import HALVES, sextant

CELL_WIDTH, CELL_HEIGHT = 12, 24
INTRODUCER, RESET, NO_COLOURS = "\x1b[", "\x1b[0m", ("\x1b[39m", "\x1b[49m")
ESCAPE = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z])")
BLACK, GREY, WHITE = 0, 200, 255
COLOURS = {"16": BLACK, "231": WHITE}

Cell = tuple[str, int, int]  # a character, its colour, and that of its ground

# The parts of a character, in columns and rows, and which of them are drawn.
PARTS = {sextant(bits): (2, 3, bits) for bits in range(64)}
PARTS |= {character: (1, 2, bits) for bits, character in enumerate(HALVES)}


def picture(text: str, *, light: bool = False) -> bytes:
    """Return a PNG of a terminal with this text, on a dark or a light ground.

    Letters are drawn as blanks.
    """
    default = (BLACK, WHITE) if light else (GREY, BLACK)
    lines = list(_lines(text, default))
    width = max(1, *map(len, lines))
    found = Image.new("L", (width * CELL_WIDTH, len(lines) * CELL_HEIGHT), default[1])
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            found.paste(_cell(*cell), (column * CELL_WIDTH, row * CELL_HEIGHT))
    file = io.BytesIO()
    found.save(file, format="PNG")
    return file.getvalue()


def as_html(text: str) -> str:
    """Return the lines of a terminal as HTML; what is black on white is in a <span>."""
    lines = []
    for line in _lines(text, (GREY, BLACK)):
        groups = groupby(line, key=lambda cell: cell[2] == WHITE)
        parts = [(white, escape("".join(cell[0] for cell in cells))) for white, cells in groups]
        lines.append("".join(f"<span>{part}</span>" if white else part for white, part in parts))
    return "\n".join(line.rstrip() for line in lines).rstrip()


def _lines(text: str, default: tuple[int, int]) -> Iterator[list[Cell]]:
    """Yield the lines of characters, with the colours that the escapes before them have set."""
    drawn, ground = default
    for line in text.splitlines():
        cells: list[Cell] = []
        for part in ESCAPE.split(line):
            if not part.startswith(INTRODUCER):
                cells += [(character, drawn, ground) for character in part]
            elif part == RESET or part in NO_COLOURS:
                drawn = default[0] if part in (RESET, NO_COLOURS[0]) else drawn
                ground = default[1] if part in (RESET, NO_COLOURS[1]) else ground
            else:
                drawn, ground = _coloured(part, drawn, ground)
        yield cells


def _coloured(escape: str, drawn: int, ground: int) -> tuple[int, int]:
    """Return the colours after an escape."""
    for kind, colour in re.findall(r"([34])8;5;(\d+)", escape):
        drawn, ground = (COLOURS[colour], ground) if kind == "3" else (drawn, COLOURS[colour])
    return drawn, ground


def _cell(character: str, drawn: int, ground: int) -> Image.Image:
    columns, rows, bits = PARTS.get(character, (1, 1, 0))
    cell = Image.new("L", (columns, rows))
    cell.putdata([drawn if bits >> index & 1 else ground for index in range(columns * rows)])
    return cell.resize((CELL_WIDTH, CELL_HEIGHT), Image.Resampling.NEAREST)
