"""Organizations in the states that people meet, each brought there as life brings it there."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from simulator.client import ControlError
from tests.support.application import Application, until
from tests.support.linking import decode, link

# What takes a minute or more by itself: the row is as the worker leaves it.
EXPIRED = """
from django.utils import timezone
from connections.models import Connection
Connection.objects.filter(pk={organization}).update(
    state="action_needed", reason="codes_expired", since=timezone.now(), desired="connected"
)
"""


class Scenes:
    """Makes organizations of a running application, and brings them into a state."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.simulator = application.simulator

    def organization(self, name: str, expected_number: str = "") -> int:
        """A fresh one. Returns its id."""
        body: dict[str, Any] = {"name": name}
        if expected_number:
            body["expectedNumber"] = expected_number
        answer = self.application.request("POST", "/api/v1/organizations", body=body)
        assert answer.status == 201, answer
        return int(answer.body["id"])

    def connected(self, name: str, *, tested: bool = False) -> tuple[int, str]:
        """Linked, perhaps with a test message. Returns its id and its number."""
        organization = self.organization(name)
        number = self.connect(organization)
        if tested:
            answer = self.application.api("POST", organization, "test-message")
            assert answer.status in (200, 202), answer
        return organization, number

    def connect(self, organization: int) -> str:
        """Link a phone. Returns its number."""
        return link(self.application, organization)

    def logged_out(self, name: str) -> int:
        """The phone unlinked the device."""
        organization, number = self.connected(name)
        self.simulator.unlink(number=number)
        self.application.wait_for_state(organization, "action_needed")
        return organization

    def reconnecting(self, name: str) -> int:
        """Retryable; each login is refused from now on."""
        organization, number = self.connected(name)
        self.simulator.arm("failure", number=number, reason=503)
        self.simulator.drop(number=number)
        self._until_reason(organization, "login_refused")
        return organization

    def login_still_refused(self, name: str) -> tuple[int, str]:
        """Each login is refused, for longer than LOGIN_REFUSED_LONG_SECONDS. Needs a low one."""
        organization, number = self.connected(name)
        self.simulator.arm("failure", number=number, reason=503)
        self.simulator.drop(number=number)
        self._until_reason(organization, "login_still_refused", 30)
        return organization, number

    def link_unstable(self, name: str) -> tuple[int, str]:
        """Each login is let in, and dropped at once."""
        organization, number = self.connected(name)
        self.simulator.arm("drop_after_login", number=number, ms=0)
        self.simulator.drop(number=number)
        self._until_reason(organization, "link_unstable", 30)
        return organization, number

    def new_code_beside_saved_login(self, name: str) -> int:
        """A QR code is shown, while the refused login is kept."""
        organization, _ = self.login_still_refused(name)
        body = {"freshCode": True}
        answer = self.application.api("POST", organization, "reconnect", body=body)
        assert answer.status == 200, answer
        return organization

    def phone_unsupported(self, name: str) -> int:
        """A phone without multi-device scanned; the code is still shown."""
        return self._refused_scan(name, "downgrade_webclient", "phone_unsupported")

    def pairing_passkey(self, name: str) -> int:
        """A phone that asks for a passkey scanned."""
        return self._refused_scan(name, "passkey", "pairing_passkey")

    def old_device_left(self, name: str) -> int:
        """Another phone is linked; the device of the refused login could not be logged out."""
        organization = self.new_code_beside_saved_login(name)
        code = self.application.api("GET", organization, "qrcode")
        self.simulator.scan(decode(code))
        self._until_reason(organization, "old_device_left", 60)
        return organization

    def _refused_scan(self, name: str, fault: str, reason: str) -> int:
        organization = self.organization(name)
        code = self.ask_code(organization)
        self.simulator.arm(fault, count=1)
        with suppress(ControlError):
            self.simulator.scan(code)
        self._until_reason(organization, reason)
        return organization

    def banned(self, name: str) -> int:
        """Banned for three hours."""
        organization, number = self.connected(name)
        self.simulator.arm("failure", number=number, reason=402, code=101, expire=10_800)
        self.simulator.drop(number=number)
        self._until_reason(organization, "temporarily_banned")
        return organization

    def wrong_number(self, name: str) -> int:
        """Another phone than the expected one scanned the code."""
        organization = self.organization(name, "+5511987650001")
        self.scan(organization)
        self._until_reason(organization, "wrong_number")
        return organization

    def code(self, name: str) -> int:
        """A QR code is shown."""
        organization = self.organization(name)
        self.ask_code(organization)
        return organization

    def phone_code(self, name: str) -> int:
        """A code to type is shown."""
        organization = self.organization(name)
        body = {"phoneNumber": "+55 11 98765-4321"}
        answer = self.application.api("POST", organization, "pairing-code", body=body)
        assert answer.status == 200, answer
        return organization

    def expired(self, name: str) -> int:
        """No one scanned any of the codes."""
        organization = self.organization(name)
        self.application.api("GET", organization, "status")
        self.application.manage("shell", "-c", EXPIRED.format(organization=organization))
        return organization

    def ask_code(self, organization: int) -> str:
        """Reconnect. Returns what the QR code says."""
        answer = self.application.api("POST", organization, "reconnect")
        assert answer.status == 200, answer
        return decode(answer)

    def scan(self, organization: int, number: str = "") -> None:
        """Reconnect, and scan with a phone."""
        self.simulator.scan(self.ask_code(organization), number=number)

    def _until_reason(self, organization: int, reason: str, seconds: float = 15) -> None:
        def look() -> bool:
            found = self.application.api("GET", organization, "status").body["reason"]
            return bool(found == reason)

        until(look, seconds, f"reason {reason}")
