"""The REST API of one organization's connection. Its answers are a contract with old clients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import status
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions, qr
from connections.api import schema
from connections.api.errors import Refused
from connections.api.serializers import (
    ConnectionStatus,
    PhoneNumberSerializer,
    ReconnectBodySerializer,
    get_status,
    read_status,
)
from connections.api.serializers import status as status_of
from connections.lifecycle import Reason, State
from connections.long_poll import wait_for
from connections.models import Connection, Method
from connections.reason_texts import HELD, NO_CODE_FOLLOWS
from organizations.access import Permission
from organizations.api.views import CallerView

RETRY_SECONDS = 3

Told = Callable[[ConnectionStatus], dict[str, Any] | None]
"""The answer that a connection gives, or None when there is none yet."""

SCAN_TO_RECONNECT = "Reconnection successful. Scan the QR code to reconnect."
RESUMED = "Reconnection successful. The saved credentials still work; no scan is needed."
INITIALIZED = "Reconnection initialized. QR code will be available shortly."
RESUMING = (
    "Reconnection initialized. The saved login is being tried; for a QR code, send freshCode: true."
)
FINISHING = "The phone has accepted the code. The link is being finished."
SCAN_TO_CONNECT = "Scan this QR code with WhatsApp to connect"
NO_CLIENT = "WhatsApp client not found for this organization. Please initialize connection first."
NO_CODE = "QR code not available. Please wait a few seconds and try again."
DISCONNECTED = "WhatsApp disconnected. The saved credentials were deleted."
WAS_NOT_CONNECTED = "WhatsApp was not connected. Saved credentials, if any, were deleted."
TYPE_CODE = "Type this code on the phone: Linked devices, Link with phone number instead."
CANCELLED = "The pairing was cancelled."
NOTHING_TO_CANCEL = "There was no pairing to cancel."
SUPERSEDED = "Another request has taken the place of this one."
DISCONNECT_INITIALIZED = "Disconnecting has begun and will be finished shortly."

# A request for a code waits in these states, unless the reason says that no code follows.
UNDER_WAY = (State.CONNECTING, State.RECONNECTING)
WITHOUT_CODE = HELD | NO_CODE_FOLLOWS


class ConnectionView(CallerView):
    """A view of one organization's connection, for those who may see it."""

    def connection(self, organization_id: int, permission: Permission) -> Connection:
        """Raises Organization.DoesNotExist (404) for outsiders, PermissionDenied (403)."""
        organization = self.caller.organization(organization_id, permission, "connection__worker")
        try:
            return organization.connection
        except Connection.DoesNotExist:
            return Connection.objects.of(organization)


class StatusView(ConnectionView):
    """`GET status`: what is, why, and what helps."""

    @schema.read_status
    def get(self, request: Request, organization_id: int) -> Response:
        return Response(status_of(get_status(self.connection(organization_id, Permission.SEE))))


class QrCodeView(ConnectionView):
    """`GET qrcode`: the code that can be scanned now."""

    @schema.read_qr_code
    def get(self, request: Request, organization_id: int) -> Response:
        observed = get_status(self.connection(organization_id, Permission.OPERATE))
        if observed.code:
            return Response(
                {
                    "success": True,
                    "qrCode": qr.png_url(observed.code),
                    "message": SCAN_TO_CONNECT,
                }
            )
        raise _no_code(observed)


class AnyAccept(DefaultContentNegotiation):
    """Who accepts nothing but pictures gets them, and an error in JSON all the same."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class QrPictureView(ConnectionView):
    """`GET qrcode.png`, `GET qrcode.svg`: the code that can be scanned now, as a picture."""

    picture: staticmethod[[str], bytes]
    content_type = ""
    content_negotiation_class = AnyAccept

    def answer(self, organization_id: int) -> HttpResponse:
        observed = get_status(self.connection(organization_id, Permission.OPERATE))
        if not observed.code:
            raise _no_code(observed)
        return HttpResponse(self.picture(observed.code), content_type=self.content_type)


class QrPngView(QrPictureView):
    picture = staticmethod(qr.png)
    content_type = "image/png"

    @schema.read_qr_code_png
    def get(self, request: Request, organization_id: int) -> HttpResponse:
        return self.answer(organization_id)


class QrSvgView(QrPictureView):
    picture = staticmethod(qr.svg)
    content_type = "image/svg+xml"

    @schema.read_qr_code_svg
    def get(self, request: Request, organization_id: int) -> HttpResponse:
        return self.answer(organization_id)


def _no_code(observed: ConnectionStatus) -> Exception:
    """Why there is no code to scan."""
    if observed.state == State.CONNECTED:
        return actions.AlreadyConnected()
    if observed.has_client:
        return Refused(status.HTTP_404_NOT_FOUND, "qr_not_available", NO_CODE, RETRY_SECONDS)
    return Refused(status.HTTP_404_NOT_FOUND, "client_not_found", NO_CLIENT)


class RequestView(ConnectionView):
    """A view that asks for a connection and waits for what comes of it."""

    def ask(
        self,
        organization_id: int,
        told: Told,
        method: Method = Method.QR,
        number: str = "",
        fresh_code: bool = False,
    ) -> Response:
        """Ask, and answer with what `told` makes of the connection, or 202."""
        connection = self.connection(organization_id, Permission.OPERATE)
        requested = actions.request_reconnect(
            connection.pk, self.caller.actor, method, number, fresh_code
        )
        look = partial(_outcome, connection.pk, requested.generation, told)
        answer = wait_for(connection.pk, look, settings.RECONNECT_WAIT_SECONDS)
        if answer is None:
            answer = Response(
                {"message": _going_on(connection.pk), "retryIn": RETRY_SECONDS * 1000},
                status=status.HTTP_202_ACCEPTED,
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        if (ended := requested.replaced_attempt) is not None:
            answer.data["endedAttempt"] = {"id": ended.pk, "method": ended.method}
        return answer


def _going_on(connection_id: int) -> str:
    """What is under way, where there is no answer yet."""
    observed = read_status(connection_id)
    if observed.reason == Reason.FINISHING:
        return FINISHING
    waits = observed.state in (State.CONNECTING, State.AWAITING_SCAN) and not observed.pairs
    return RESUMING if waits or observed.state == State.RECONNECTING else INITIALIZED


def _outcome(connection_id: int, generation: int, told: Told) -> Response | None:
    """The answer to a request for a connection, once there is one."""
    connection = Connection.objects.get(pk=connection_id)
    if connection.generation != generation:
        raise Refused(status.HTTP_409_CONFLICT, "superseded", SUPERSEDED)
    if connection.state in UNDER_WAY and connection.reason not in WITHOUT_CODE:
        return None  # Most checks end here, after one query.
    observed = get_status(connection)
    if observed.state == State.ACTION_NEEDED or observed.reason in WITHOUT_CODE:
        raise Refused(
            status.HTTP_503_SERVICE_UNAVAILABLE,
            observed.reason,
            observed.reason_text.full,
            RETRY_SECONDS,
        )
    answer = told(observed)
    return None if answer is None else Response(answer)


class ReconnectView(RequestView):
    """`POST reconnect`: ask for a connection, and answer with its first QR code."""

    @schema.reconnect
    def post(self, request: Request, organization_id: int) -> Response:
        return self._ask_for_qr(request, organization_id)

    def _ask_for_qr(self, request: Request, organization_id: int) -> Response:
        """The old service read no body, so its clients may send anything but JSON."""
        fresh_code = False
        if request.content_type.startswith("application/json"):
            self.connection(organization_id, Permission.OPERATE)
            fresh_code = self.body(ReconnectBodySerializer)["freshCode"]
        return self.ask(organization_id, _told_by_qr, fresh_code=fresh_code)


class InitBaileysView(ReconnectView):
    """`POST init-baileys`: the old service's other word for it."""

    @schema.init_baileys
    def post(self, request: Request, organization_id: int) -> Response:
        return self._ask_for_qr(request, organization_id)


def _told_by_qr(observed: ConnectionStatus) -> dict[str, Any] | None:
    if observed.code:
        code = qr.png_url(observed.code)
        return {"success": True, "message": SCAN_TO_RECONNECT, "qrCode": code}
    if observed.state == State.CONNECTED:
        return {"success": True, "message": RESUMED, "qrCode": None}
    return None


class PairingCodeView(RequestView):
    """`POST pairing-code`: link by a code that is typed on the phone."""

    @schema.request_pairing_code
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.connection(organization_id, Permission.OPERATE).organization
        body = self.body(PhoneNumberSerializer, organization=organization)
        number, fresh_code = body["phoneNumber"], body["freshCode"]
        return self.ask(organization_id, _told_by_phone, Method.PHONE, number, fresh_code)


def _told_by_phone(observed: ConnectionStatus) -> dict[str, Any] | None:
    if observed.phone_code and observed.attempt and observed.attempt.code_expires_at:
        left = observed.attempt.code_expires_at - timezone.now()
        return {
            "success": True,
            "message": TYPE_CODE,
            "pairingCode": observed.phone_code,
            "expiresIn": max(0, round(left.total_seconds())),
        }
    if observed.state == State.CONNECTED:
        return {"success": True, "message": RESUMED, "pairingCode": None, "expiresIn": None}
    return None


class CancelView(ConnectionView):
    """`POST cancel`: end a pairing that is under way."""

    @schema.cancel_pairing
    def post(self, request: Request, organization_id: int) -> Response:
        connection = self.connection(organization_id, Permission.OPERATE)
        try:
            actions.request_cancel(connection.pk, self.caller.actor)
        except actions.NothingToCancel:
            return Response({"success": True, "message": NOTHING_TO_CANCEL})
        return Response({"success": True, "message": CANCELLED})


class DisconnectView(ConnectionView):
    """`DELETE disconnect`: log out, stop, delete the credentials, then answer."""

    @schema.disconnect
    def delete(self, request: Request, organization_id: int) -> Response:
        connection = self.connection(organization_id, Permission.OPERATE)
        stored = connection.state == State.CONNECTED
        was_connected = stored and get_status(connection).state == State.CONNECTED
        requested = actions.request_disconnect(connection.pk, self.caller.actor)
        look = partial(_disconnected, connection.pk, requested.generation)
        observed = wait_for(connection.pk, look, settings.DISCONNECT_WAIT_SECONDS)
        if observed is None:
            return Response(
                {
                    "success": True,
                    "message": DISCONNECT_INITIALIZED,
                    "retryIn": RETRY_SECONDS * 1000,
                },
                status=status.HTTP_202_ACCEPTED,
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        if observed.connection.logout_pending:
            raise Refused(
                status.HTTP_500_INTERNAL_SERVER_ERROR, observed.reason, observed.reason_text.full
            )
        return Response({"success": True, "message": _farewell(observed, was_connected)})


def _disconnected(connection_id: int, generation: int) -> ConnectionStatus | None:
    """The connection, once the clean-up is done or has failed for good."""
    connection = Connection.objects.get(pk=connection_id)
    superseded = connection.generation != generation
    if connection.logout_pending:
        ended = not connection.disconnecting
    else:
        ended = superseded or connection.state == State.DISCONNECTED
    return get_status(connection) if ended else None


def _farewell(observed: ConnectionStatus, was_connected: bool) -> str:
    if observed.reason == Reason.DISCONNECTED_UNCONFIRMED:
        return observed.reason_text.full
    return DISCONNECTED if was_connected else WAS_NOT_CONNECTED
