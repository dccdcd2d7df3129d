"""`POST reconnect`, `init-baileys`, `pairing-code`: request a connection, and wait for its code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import status as http_status
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions, qr
from connections.api import schema
from connections.api.errors import RefusedResponse
from connections.api.serializers import PhoneNumberSerializer, ReconnectBodySerializer
from connections.api.views import (
    RETRY_SECONDS,
    ConnectionView,
    accepted_response,
    wait_for_result,
)
from connections.database_outages import DATABASE_UNAVAILABLE
from connections.lifecycle import PAIRING, Reason, State
from connections.models import Connection, Method
from connections.reason_texts import HELD, NO_CODE_FOLLOWS
from connections.status import ConnectionStatus, get_status, read_status
from organizations.access import Permission

ResultOf = Callable[[ConnectionStatus], dict[str, Any] | None]
"""Returns the answer's body for a status, or None while there is no result."""

SCAN_TO_RECONNECT = "Reconnection successful. Scan the QR code to reconnect."
RESUMED = "Reconnection successful. The saved credentials still work; no scan is needed."
INITIALIZED = "Reconnection initialized. QR code will be available shortly."
RESUMING = (
    "Reconnection initialized. The saved login is being tried; for a QR code, send freshCode: true."
)
FINISHING = "The phone has accepted the code. The link is being finished."
TYPE_CODE = "Type this code on the phone: Linked devices, Link with phone number instead."
SUPERSEDED = "Another request has taken the place of this one."

# A request for a code waits in these states, unless the reason says that no code follows.
IN_PROGRESS = (State.CONNECTING, State.RECONNECTING)
WITHOUT_CODE = HELD | NO_CODE_FOLLOWS


class RequestView(ConnectionView):
    """A view that requests a connection and waits for the result."""

    def reconnect(
        self,
        organization_id: int,
        result_of: ResultOf,
        method: Method = Method.QR,
        number: str = "",
        fresh_code: bool = False,
    ) -> Response:
        """Request a connection. Return `result_of` its status, or 202 while there is none."""
        connection = self.connection(organization_id, Permission.OPERATE)
        requested = actions.request_reconnect(
            connection.pk, self.caller.actor, method, number, fresh_code
        )
        check = partial(_result, connection.pk, requested.generation, result_of)
        response = wait_for_result(connection.pk, check, settings.RECONNECT_WAIT_SECONDS)
        if response is None:
            response = accepted_response(_progress_message(connection.pk))
        if (ended := requested.replaced_attempt) is not None:
            response.data["endedAttempt"] = {"id": ended.pk, "method": ended.method}
        return response


def _progress_message(connection_id: int) -> str:
    """Return what is in progress, while there is no result."""
    try:
        status = read_status(connection_id)
    except DATABASE_UNAVAILABLE:
        return INITIALIZED
    if status.reason == Reason.FINISHING:
        return FINISHING
    resuming = status.state in PAIRING and not status.is_pairing
    return RESUMING if resuming or status.state == State.RECONNECTING else INITIALIZED


def _result(connection_id: int, generation: int, result_of: ResultOf) -> Response | None:
    """Return the answer to a request for a connection once there is one. Raises RefusedResponse."""
    connection = Connection.objects.get(pk=connection_id)
    if connection.generation != generation:
        raise RefusedResponse(http_status.HTTP_409_CONFLICT, "superseded", SUPERSEDED)
    if connection.state in IN_PROGRESS and connection.reason not in WITHOUT_CODE:
        return None  # Most checks end here, after one query.
    status = get_status(connection)
    if status.state == State.ACTION_NEEDED or status.reason in WITHOUT_CODE:
        raise RefusedResponse(
            http_status.HTTP_503_SERVICE_UNAVAILABLE,
            status.reason,
            status.reason_text.full,
            RETRY_SECONDS,
        )
    body = result_of(status)
    return None if body is None else Response(body)


class ReconnectView(RequestView):
    """`POST reconnect`: ask for a connection, and answer with its first QR code."""

    @schema.reconnect
    def post(self, request: Request, organization_id: int) -> Response:
        return self._reconnect_by_qr(request, organization_id)

    def _reconnect_by_qr(self, request: Request, organization_id: int) -> Response:
        """Read the body only if it is JSON: clients of the old service may send anything else."""
        fresh_code = False
        if request.content_type.startswith("application/json"):
            self.connection(organization_id, Permission.OPERATE)
            fresh_code = self.body(ReconnectBodySerializer)["freshCode"]
        return self.reconnect(organization_id, _qr_result, fresh_code=fresh_code)


class InitBaileysView(ReconnectView):
    """`POST init-baileys`: the old service's other word for it."""

    @schema.init_baileys
    def post(self, request: Request, organization_id: int) -> Response:
        return self._reconnect_by_qr(request, organization_id)


def _qr_result(status: ConnectionStatus) -> dict[str, Any] | None:
    if status.code:
        code = qr.png_url(status.code)
        return {"success": True, "message": SCAN_TO_RECONNECT, "qrCode": code}
    if status.state == State.CONNECTED:
        return {"success": True, "message": RESUMED, "qrCode": None}
    return None


class PairingCodeView(RequestView):
    """`POST pairing-code`: link by a code that is typed on the phone."""

    @schema.request_pairing_code
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.connection(organization_id, Permission.OPERATE).organization
        body = self.body(PhoneNumberSerializer, organization=organization)
        number, fresh_code = body["phoneNumber"], body["freshCode"]
        return self.reconnect(organization_id, _phone_code_result, Method.PHONE, number, fresh_code)


def _phone_code_result(status: ConnectionStatus) -> dict[str, Any] | None:
    if status.phone_code and status.attempt and status.attempt.code_expires_at:
        remaining = status.attempt.code_expires_at - timezone.now()
        return {
            "success": True,
            "message": TYPE_CODE,
            "pairingCode": status.phone_code,
            "expiresIn": max(0, round(remaining.total_seconds())),
        }
    if status.state == State.CONNECTED:
        return {"success": True, "message": RESUMED, "pairingCode": None, "expiresIn": None}
    return None
