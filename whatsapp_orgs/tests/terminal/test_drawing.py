"""A QR code of block characters can be read, on dark and light terminals, large and small."""

from __future__ import annotations

import pytest

from connections import qr
from tests.support import qr_reading
from tests.support.terminal_picture import picture
from whatsapp_orgs.terminal import drawing

# As long as WhatsApp's.
CODE = "https://wa.me/settings/linked_devices#2@" + ",".join(["x" * 64] + ["y" * 44] * 3) + ",1"
SMALL_WINDOW, LARGE_WINDOW = (80, 22), (80, 60)


@pytest.mark.parametrize("window", [SMALL_WINDOW, LARGE_WINDOW])
@pytest.mark.parametrize("light", [False, True])
def test_drawn_code_is_read(window: tuple[int, int], light: bool) -> None:
    modules = qr.modules(CODE)
    for coloured in (True, False):
        drawn = drawing.draw(modules, *window, coloured=coloured, inverted=light)
        assert drawn is not None
        assert len(drawn) <= window[1]
        assert ("\x1b" in "".join(drawn)) == coloured
        assert qr_reading.read(picture("\n".join(drawn), light=light)) == CODE


def test_code_is_not_drawn_in_a_window_that_is_too_small() -> None:
    modules = qr.modules(CODE)
    assert drawing.draw(modules, 30, 60) is None
    assert drawing.draw(modules, 80, 20) is None
    width, height = drawing.size(modules)
    large = drawing.draw(modules, width, height)
    assert large is not None and len(large) == height
