"""Link an organization with a phone by the QR code of a response."""

from __future__ import annotations

from tests.support.application import Answer, Application, until
from tests.support.qr_reading import read_url


def decode(answer: Answer) -> str:
    """Return the text of the QR code in a response."""
    return read_url(answer.body["qrCode"])


def link(application: Application, organization: int, number: str = "") -> str:
    """Reconnect, scan with a phone (a new one without `number`), and wait for a session host.

    Returns the linked number.
    """
    answer = application.api("POST", organization, "reconnect")
    assert answer.status == 200, answer
    resumes = application.simulator.stats()["resumes"]
    linked = application.simulator.scan(decode(answer), number=number)
    assert application.wait_for_state(organization, "connected")["number"] == linked.number
    # A new link moves from the pairing's process to a session host, which logs in again.
    until(
        lambda: (
            application.simulator.stats()["resumes"] > resumes
            and online(application, linked.number)
        ),
        10,
        "the move to a session host",
    )
    return linked.number


def online(application: Application, number: str) -> bool:
    """Return whether a device of this number is online at WhatsApp."""
    return any(
        device["online"] for device in application.simulator.devices() if device["number"] == number
    )
