"""The product's access to the simulator, with WHATSAPP_SERVER=simulator only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
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
    with _control(ScanFailed) as phone:
        phone.scan(code)


def enter_code(number: str, code: str) -> None:
    """Type the code on the simulated phone with this number. Raises ScanFailed."""
    with _control(ScanFailed) as phone:
        phone.enter_code(number, code)


@contextmanager
def _control(failure: type[Exception]) -> Iterator[ControlClient]:
    """Provide the simulator's control API; its errors become failures with its text."""
    from simulator.client import ControlClient, ControlError

    try:
        yield ControlClient(description()["control_url"])
    except (ControlError, ImproperlyConfigured) as error:
        raise failure(str(error)) from error


# --- A customer, who writes to a linked number ----------------------------------------------------

CUSTOMER_NAME = "Ana"
SHOWN_LINES = 30


class CustomerFailed(Exception):
    """The simulated customer could not write or read; the text says why."""


@dataclass(frozen=True)
class Line:
    """One message on the customer's phone. `ticks`: 0 none, 1 sent, 2 delivered, 3 read."""

    mine: bool
    text: str
    at: datetime
    ticks: int = 0


@dataclass(frozen=True)
class Conversation:
    """What a customer (digits) and a linked number have written to each other."""

    customer: str
    lines: list[Line]


def write_as_customer(number: str, text: str) -> None:
    """Let the customer write to a linked number (digits). Raises CustomerFailed."""
    with _control(CustomerFailed) as control:
        control.say(_customer(control), number, text)


def read_conversation(number: str) -> Conversation:
    """Return what the customer and a number wrote, the newest last. Raises CustomerFailed."""
    with _control(CustomerFailed) as control:
        customer = _customer(control)
        sent = [line for line in control.sent(number) if line["from"] == customer]
        received = [line for line in control.received(customer) if line["from"] == number]
    lines = [_line(line, mine=True) for line in sent]
    lines += [_line(line, mine=False) for line in received]
    lines.sort(key=lambda line: line.at)
    return Conversation(customer, lines[-SHOWN_LINES:])


def _customer(control: ControlClient) -> str:
    """Return the customer's number; at first the customer is made, with an open conversation."""
    for person in control.people():
        if person["name"] == CUSTOMER_NAME:
            return str(person["number"])
    return str(control.save_person(name=CUSTOMER_NAME, auto="read")["number"])


def _line(message: Mapping[str, Any], mine: bool) -> Line:
    kind = message["type"]
    about = message.get(kind) or {}
    text = about.get("body") or about.get("caption") or f"[{kind}]"
    ticks = 0
    if mine:
        done = {"delivered": 2, "receipted": 2}.get(message["state"], 1)
        ticks = 3 if message["read_at"] else done
    return Line(mine, str(text), datetime.fromtimestamp(message["at"], UTC), ticks)


# --- A receiver of webhooks, which shows what arrives ---------------------------------------------


class ReceiverFailed(Exception):
    """The simulated receiver could not be reached or changed; the text says why."""


@dataclass(frozen=True)
class ReceivedRequest:
    """A delivery that the receiver has got. `answered`: the HTTP status of its answer."""

    at: datetime
    id: str
    body: str
    verified: bool
    answered: int


@dataclass(frozen=True)
class Receiver:
    """A receiver. `fails`: it answers 500 to everything."""

    fails: bool
    requests: list[ReceivedRequest]


def receivers_url() -> str:
    """Return where receivers listen, without a name. Raises ReceiverFailed."""
    try:
        return str(description()["hooks_url"])
    except (ImproperlyConfigured, KeyError) as error:
        raise ReceiverFailed(str(error)) from error


def set_receiver(name: str, *, secret: str | None = None, fails: bool | None = None) -> None:
    """Make a receiver, or change its secret or answer. Raises ReceiverFailed."""
    with _control(ReceiverFailed) as control:
        control.set_hook(name, secret=secret, fails=fails)


def read_receiver(name: str) -> Receiver:
    """Return a receiver with what it received, the newest first. Raises ReceiverFailed."""
    with _control(ReceiverFailed) as control:
        found = control.hook(name)
    requests = [
        ReceivedRequest(
            datetime.fromtimestamp(each["at"], UTC),
            str(each["id"]),
            str(each["body"]),
            bool(each["verified"]),
            int(each["answered"]),
        )
        for each in found["caught"]
    ]
    return Receiver(bool(found["fails"]), requests)
