"""`reconnect` and `pairing-code`: ask for a connection, show its codes, wait for the phone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from connections import actions, qr
from connections.api.serializers import PhoneNumberSerializer, status_response
from connections.api.views_reconnect import SUPERSEDED
from connections.lifecycle import Reason, State
from connections.models import Connection, Method, Worker
from connections.reason_texts import HELD
from connections.status import ConnectionStatus, read_status
from organizations.api.views import validated
from organizations.models import Organization
from whatsapp_orgs.terminal import waiting
from whatsapp_orgs.terminal.console import Console
from whatsapp_orgs.terminal.outcomes import TERMINAL, Ended, Exit

NO_WORKER = (
    "No worker is running, so nothing was requested. Start the service (`manage.py serve`) or a "
    "worker (`manage.py run_worker`) first."
)
CANCELLED = "The pairing was cancelled."
LOGIN_KEPT = "The pairing was cancelled; the saved login is used again."
GOES_ON = "It goes on in the background; `manage.py whatsapp status` says how far it is."
SOMEONE_ELSES = "Someone else began this pairing, so it goes on."
# WhatsApp or the service may come back within the time that is waited.
PASSING = {Reason.WORKER_OFFLINE, Reason.NO_ROOM, Reason.SERVICE_RESTARTED}


@dataclass(frozen=True)
class Request:
    """A request for a connection. `began`: whether it was not under way before."""

    organization: Organization
    generation: int
    began: bool

    @classmethod
    def make(
        cls, organization: Organization, method: Method, number: str, fresh_code: bool
    ) -> Request:
        """Request a connection. Raises Ended and RequestRefused."""
        before = Connection.objects.of(organization)
        if not Worker.any_alive():
            raise Ended(Exit.NO_WORKER, Reason.WORKER_OFFLINE, NO_WORKER)
        after = actions.request_reconnect(before.pk, TERMINAL, method, number, fresh_code)
        return cls(organization, after.generation, after.generation != before.generation)

    def status(self) -> ConnectionStatus:
        """Return the connection's status. Raises Ended once another request has come."""
        status = read_status(self.organization.pk)
        if status.connection.generation != self.generation:
            if status.reason == Reason.PAIRING_CANCELLED:
                raise Ended(Exit.NOT_CONNECTED, status.reason, status.reason_text.full)
            raise Ended(Exit.REFUSED, "superseded", SUPERSEDED)
        return status

    def cancel(self) -> str:
        """End the pairing if this request has begun it. Return what became of it."""
        if not self.began:
            return SOMEONE_ELSES
        try:
            after = actions.request_cancel(self.organization.pk, TERMINAL, self.generation)
        except actions.NothingToCancel:
            return GOES_ON
        return LOGIN_KEPT if after.store_name else CANCELLED


def reconnect(
    console: Console, organization: Organization, *, fresh_code: bool, seconds: float
) -> None:
    """Connect an organization, by a QR code if the saved login does not do. Raises Ended."""
    _connect(console, Request.make(organization, Method.QR, "", fresh_code), seconds)


def link_by_phone(
    console: Console, organization: Organization, *, number: str, fresh_code: bool, seconds: float
) -> None:
    """Connect an organization by a code that is typed on the phone with this number.

    Raises Ended, and ValidationError for what is no phone number.
    """
    data = {"phoneNumber": number, "freshCode": fresh_code}
    context = {"organization": organization}
    body = validated(PhoneNumberSerializer(data=data, context=context))
    request = Request.make(organization, Method.PHONE, body["phoneNumber"], body["freshCode"])
    _connect(console, request, seconds)


def _connect(console: Console, request: Request, seconds: float) -> None:
    """Show the codes and the progress of a request until it is connected. Raises Ended.

    What it has begun is cancelled when it is not waited for any longer, whatever the reason: nobody
    sees the code then.
    """
    deadline = time.monotonic() + seconds
    try:
        while not _show(console, request.status(), request.organization):
            if time.monotonic() >= deadline:
                raise _timed_out(request, seconds)
            waiting.pause()
    except (KeyboardInterrupt, BrokenPipeError) as error:
        error.add_note(request.cancel())
        raise
    except Ended as error:
        if error.code == "no_terminal":
            request.cancel()
        raise


def _show(console: Console, status: ConnectionStatus, organization: Organization) -> bool:
    """Show a status. Return whether it is connected. Raises Ended when it will not be."""
    if console.as_json:
        console.changed(_as_json(status))
    elif status.code or status.phone_code:
        console.show_code(organization, status, _seconds_left(status))
    else:
        console.progress(status.reason_text.sentence)
    if status.state == State.CONNECTED:
        if not console.as_json:
            console.say(status.reason_text.sentence)
        return True
    over = status.state in (State.ACTION_NEEDED, State.DISCONNECTED)
    if over or (status.reason in HELD and status.reason not in PASSING):
        raise Ended(Exit.NOT_CONNECTED, status.reason, status.reason_text.full)
    return False


def _as_json(status: ConnectionStatus) -> dict[str, Any]:
    """Return what `GET status` answers, and the code as the other routes give it."""
    attempt = status.attempt
    expires_at = attempt.code_expires_at if attempt else None
    valid = bool(status.code or status.phone_code)
    return {
        **status_response(status),
        "organization": status.connection.pk,
        "qrCode": qr.png_url(status.code) if status.code else None,
        "pairingCode": status.phone_code or None,
        "expiresAt": expires_at.isoformat() if expires_at and valid else None,
    }


def _seconds_left(status: ConnectionStatus) -> int:
    attempt = status.attempt
    if attempt is None or attempt.code_expires_at is None:
        return 0
    return max(0, round((attempt.code_expires_at - timezone.now()).total_seconds()))


def _timed_out(request: Request, seconds: float) -> Ended:
    """Cancel the request, and return the error that says so."""
    status = request.status()
    no_worker = status.reason in (Reason.WORKER_OFFLINE, Reason.NO_ROOM)
    became = request.cancel()
    message = f"Not connected within {seconds:g} s: {status.reason_text.sentence} {became}"
    if no_worker:
        return Ended(Exit.NO_WORKER, status.reason, message)
    return Ended(Exit.TIMED_OUT, "timed_out", message)
