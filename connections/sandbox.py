"""The simulator, as far as the product knows of it: only with WHATSAPP_SERVER=simulator."""

import json
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


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
        "SSL_CERT_FILE": simulator["ca_file"],
        "WHATSAPP_NOISE_ROOT": simulator["noise_root"],
    }


class ScanFailed(Exception):
    """The simulated phone could not scan the code; the text says why."""


def scan(code: str) -> None:
    """Let the simulated phone scan a QR code. Raises ScanFailed."""
    from simulator.client import ControlClient, ControlError

    try:
        ControlClient(description()["control_url"]).scan(code)
    except (ControlError, ImproperlyConfigured) as error:
        raise ScanFailed(str(error)) from error
