"""The simulator, as far as the product knows of it: only with WHATSAPP_SERVER=simulator."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from simulator.client import ControlClient


def enabled() -> bool:
    """Whether the stand-in is used in WhatsApp's place."""
    return bool(settings.WHATSAPP_SERVER == "simulator")


def description() -> dict[str, Any]:
    """Where the simulator listens and whom to trust. Raises ImproperlyConfigured."""
    try:
        described: dict[str, Any] = json.loads(settings.SIMULATOR_STATE.read_text())
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(
            f"WHATSAPP_SERVER is simulator, but {settings.SIMULATOR_STATE} cannot be read: "
            "start `python -m simulator`, or set WHATSAPP_SERVER=live."
        ) from error
    return described


def host_environment() -> dict[str, str]:
    """What host processes need in their environment when they start."""
    if not enabled():
        return {}
    simulator = description()
    return {
        "HTTPS_PROXY": simulator["proxy_url"],
        "https_proxy": simulator["proxy_url"],
        # Its own certificate, and no other one: Go would read all of the system's beside it.
        "SSL_CERT_FILE": simulator["ca_file"],
        "SSL_CERT_DIR": os.devnull,
        "WHATSAPP_NOISE_ROOT": simulator["noise_root"],
    }


class ScanFailed(Exception):
    """The simulated phone could not scan or type the code; the text says why."""


def scan(code: str) -> None:
    """Let the simulated phone scan a QR code. Raises ScanFailed."""
    _phone(lambda phone: phone.scan(code))


def enter_code(number: str, code: str) -> None:
    """Let the code be typed on the simulated phone with this number. Raises ScanFailed."""
    _phone(lambda phone: phone.enter_code(number, code))


def _phone(does: Callable[[ControlClient], object]) -> None:
    from simulator.client import ControlClient, ControlError

    try:
        does(ControlClient(description()["control_url"]))
    except (ControlError, ImproperlyConfigured) as error:
        raise ScanFailed(str(error)) from error
