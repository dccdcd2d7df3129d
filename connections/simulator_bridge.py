"""The product's access to the simulator, with WHATSAPP_SERVER=simulator only."""

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
    """Return whether the simulator is used instead of WhatsApp."""
    return bool(settings.WHATSAPP_SERVER == "simulator")


def description() -> dict[str, Any]:
    """Return the simulator's addresses and certificates. Raises ImproperlyConfigured."""
    try:
        state: dict[str, Any] = json.loads(settings.SIMULATOR_STATE.read_text())
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(
            f"WHATSAPP_SERVER is simulator, but {settings.SIMULATOR_STATE} cannot be read: "
            "start `python -m simulator`, or set WHATSAPP_SERVER=live."
        ) from error
    return state


def host_environment() -> dict[str, str]:
    """Return the environment variables that host processes need to reach the simulator."""
    if not enabled():
        return {}
    simulator = description()
    return {
        "HTTPS_PROXY": simulator["proxy_url"],
        "https_proxy": simulator["proxy_url"],
        # Only the simulator's certificate: Go would read the system's, too.
        "SSL_CERT_FILE": simulator["ca_file"],
        "SSL_CERT_DIR": os.devnull,
        "WHATSAPP_NOISE_ROOT": simulator["noise_root"],
    }


class ScanFailed(Exception):
    """The simulated phone could not scan or type the code; the text says why."""


def scan(code: str) -> None:
    """Let the simulated phone scan a QR code. Raises ScanFailed."""
    _use_phone(lambda phone: phone.scan(code))


def enter_code(number: str, code: str) -> None:
    """Type the code on the simulated phone with this number. Raises ScanFailed."""
    _use_phone(lambda phone: phone.enter_code(number, code))


def _use_phone(action: Callable[[ControlClient], object]) -> None:
    from simulator.client import ControlClient, ControlError

    try:
        action(ControlClient(description()["control_url"]))
    except (ControlError, ImproperlyConfigured) as error:
        raise ScanFailed(str(error)) from error
