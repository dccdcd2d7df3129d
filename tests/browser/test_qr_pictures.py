"""The pictures of QR codes in a real Chromium, on grounds that are not theirs."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from connections import qr
from tests.support.qr_reading import read

CODE = "https://wa.me/settings/linked_devices#2@" + ",".join(["Ab1/+" * 12, *["k" * 43 + "="] * 3])


PICTURES = {
    "svg": f'<img src="{qr.svg_url(CODE)}" width="400">',
    "png": f'<img src="{qr.png_url(CODE)}" width="400">',
    "svg within the page": qr.svg(CODE).decode(),
}


@pytest.mark.parametrize("ground", ["#000", "#fff"])
@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_qr_picture_is_readable_on_any_background(
    browser: Browser, picture: str, ground: str
) -> None:
    page = browser.new_page(viewport={"width": 600, "height": 600})
    page.set_content(f'<body style="background: {ground}">{picture}</body>')
    try:
        assert read(page.screenshot()) == CODE
    finally:
        page.close()
