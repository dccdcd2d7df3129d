"""WhatsApp itself, from a machine that cannot reach it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.application import Application, free_port


@pytest.fixture
def unreachable_product(tmp_path: Path) -> Iterator[Application]:
    """A product for the real WhatsApp, behind a proxy that no one answers for."""
    with Application(
        tmp_path / "application",
        WHATSAPP_SERVER="live",
        HTTPS_PROXY=f"http://127.0.0.1:{free_port()}",
    ) as running:
        yield running


def test_unreachable_whatsapp_is_reported_without_hanging(unreachable_product: Application) -> None:
    organization = unreachable_product.organization()
    started = time.monotonic()
    answer = unreachable_product.api("POST", organization, "reconnect")
    assert answer.status == 202
    assert answer.body == {
        "message": "Reconnection initialized. QR code will be available shortly.",
        "retryIn": 3000,
    }
    assert answer.headers["Retry-After"] == "3"
    status = unreachable_product.api("GET", organization, "status").body
    assert time.monotonic() - started < 30
    assert status["reason"] == "unreachable"
    assert "cannot be reached" in status["sentence"]
    assert "tell the administrator" in status["nextStep"]
    assert unreachable_product.api("GET", organization, "qrcode").body["code"] == "qr_not_available"

    gone = unreachable_product.api("DELETE", organization, "disconnect")
    assert gone.status == 200
    assert unreachable_product.api("GET", organization, "status").body["state"] == "disconnected"
