"""Bring organizations into all states that users see."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from simulator.client import ControlError
from tests.support.application import Application, until
from tests.support.linking import decode, link

# States that take minutes: set the row as the worker would.
EXPIRED = """
from django.utils import timezone
from connections.models import Connection
Connection.objects.filter(pk={organization}).update(
    state="action_needed", reason="codes_expired", since=timezone.now(), desired="connected"
)
"""


class Scenes:
    """Creates organizations of a running application in given states."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.simulator = application.simulator

    def organization(self, name: str, expected_number: str = "") -> int:
        """Create an organization. Returns its id."""
        body: dict[str, Any] = {"name": name}
        if expected_number:
            body["expectedNumber"] = expected_number
        answer = self.application.request("POST", "/api/v1/organizations", body=body)
        assert answer.status == 201, answer
        return int(answer.body["id"])

    def connected(self, name: str, *, tested: bool = False) -> tuple[int, str]:
        """Link an organization, optionally with a test message. Returns id and number."""
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
        """Unlink the device by the phone."""
        organization, number = self.connected(name)
        self.simulator.unlink(number=number)
        self.application.wait_for_state(organization, "action_needed")
        return organization

    def being_removed(self, name: str) -> int:
        """Start a removal whose logout WhatsApp does not answer."""
        organization, number = self.connected(name)
        self.simulator.arm("no_logout_answer", number=number)
        path = f"/api/v1/organizations/{organization}/removal"
        answer = self.application.request("POST", path, body={"name": name})
        assert answer.status == 202, answer
        return organization

    def reconnecting(self, name: str) -> int:
        """Refuse each login from now on."""
        organization, number = self.connected(name)
        self.simulator.arm("failure", number=number, reason=503)
        self.simulator.drop(number=number)
        self._until_reason(organization, "login_refused")
        return organization

    def login_still_refused(self, name: str) -> tuple[int, str]:
        """Refuse logins for longer than LOGIN_REFUSED_LONG_SECONDS, which must be low."""
        organization, number = self.connected(name)
        self.simulator.arm("failure", number=number, reason=503)
        self.simulator.drop(number=number)
        self._until_reason(organization, "login_still_refused", 30)
        return organization, number

    def link_unstable(self, name: str) -> tuple[int, str]:
        """Drop the connection after each login."""
        organization, number = self.connected(name)
        self.simulator.arm("drop_after_login", number=number, ms=0)
        self.simulator.drop(number=number)
        self._until_reason(organization, "link_unstable", 30)
        return organization, number

    def new_code_beside_saved_login(self, name: str) -> int:
        """Show a QR code while the refused login is kept."""
        organization, _ = self.login_still_refused(name)
        body = {"freshCode": True}
        answer = self.application.api("POST", organization, "reconnect", body=body)
        assert answer.status == 200, answer
        return organization

    def phone_unsupported(self, name: str) -> int:
        """Scan with a phone without multi-device; the code stays."""
        return self._refused_scan(name, "downgrade_webclient", "phone_unsupported")

    def pairing_passkey(self, name: str) -> int:
        """Scan with a phone that asks for a passkey."""
        return self._refused_scan(name, "passkey", "pairing_passkey")

    def old_device_left(self, name: str) -> int:
        """Link another phone; the device of the refused login cannot be logged out."""
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
        """Ban the number for three hours."""
        organization, number = self.connected(name)
        self.simulator.arm("failure", number=number, reason=402, code=101, expire=10_800)
        self.simulator.drop(number=number)
        self._until_reason(organization, "temporarily_banned")
        return organization

    def wrong_number(self, name: str) -> int:
        """Scan with another number than the expected one."""
        organization = self.organization(name, "+5511987650001")
        self.scan(organization)
        self._until_reason(organization, "wrong_number")
        return organization

    def code(self, name: str) -> int:
        """Show a QR code."""
        organization = self.organization(name)
        self.ask_code(organization)
        return organization

    def phone_code(self, name: str) -> int:
        """Show a pairing code."""
        organization = self.organization(name)
        body = {"phoneNumber": "+55 11 98765-4321"}
        answer = self.application.api("POST", organization, "pairing-code", body=body)
        assert answer.status == 200, answer
        return organization

    def expired(self, name: str) -> int:
        """Let all codes expire."""
        organization = self.organization(name)
        self.application.api("GET", organization, "status")
        self.application.manage("shell", "-c", EXPIRED.format(organization=organization))
        return organization

    def ask_code(self, organization: int) -> str:
        """Reconnect. Returns the text of the QR code."""
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
