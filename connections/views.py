"""The REST API of one organization's connection. Its answers are a contract with old clients."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connections import actions, qr
from connections.errors import Refused
from connections.lifecycle import State
from connections.models import Connection
from connections.serializers import Observed, observe
from connections.serializers import status as status_of
from connections.waiting import wait_for
from organizations import access
from organizations.models import ApiToken

RETRY_SECONDS = 3

ALREADY_CONNECTED = "WhatsApp is already connected"
SCAN_TO_RECONNECT = "Reconnection successful. Scan the QR code to reconnect."
RESUMED = "Reconnection successful. The saved credentials still work; no scan is needed."
INITIALIZED = "Reconnection initialized. QR code will be available shortly."
SCAN_TO_CONNECT = "Scan this QR code with WhatsApp to connect"
NO_CLIENT = "WhatsApp client not found for this organization. Please initialize connection first."
NO_CODE = "QR code not available. Please wait a few seconds and try again."
DISCONNECTED = "WhatsApp disconnected. The saved credentials were deleted."
WAS_NOT_CONNECTED = "WhatsApp was not connected. Saved credentials, if any, were deleted."
SUPERSEDED = "Another request has taken the place of this one."
DISCONNECT_INITIALIZED = "Disconnecting has begun and will be finished shortly."


class ConnectionView(APIView):
    """A view of one organization's connection, for those who may see it."""

    def visible(self, request: Request, organization_id: int) -> Connection:
        """Raises Organization.DoesNotExist (404) for outsiders."""
        organization = access.visible_organization(request.user, organization_id)
        return Connection.objects.of(organization)

    def operable(self, request: Request, organization_id: int) -> Connection:
        """Raises Organization.DoesNotExist (404) for outsiders, PermissionDenied for viewers."""
        organization = access.operable_organization(request.user, organization_id)
        return Connection.objects.of(organization)

    def actor(self, request: Request) -> actions.Actor:
        """Who asks, as the history shows it."""
        assert isinstance(request.user, User)
        label = request.user.get_username()
        if isinstance(request.auth, ApiToken):
            label = f"{label} (API token {request.auth.name})"
        return actions.Actor(label, request.user)


class StatusView(ConnectionView):
    """`GET status`: what is, why, and what helps."""

    def get(self, request: Request, organization_id: int) -> Response:
        return Response(status_of(observe(self.visible(request, organization_id).pk)))


class QrCodeView(ConnectionView):
    """`GET qrcode`: the code that can be scanned now."""

    def get(self, request: Request, organization_id: int) -> Response:
        observed = observe(self.operable(request, organization_id).pk)
        if observed.code:
            return Response(
                {
                    "success": True,
                    "qrCode": qr.png_url(observed.code),
                    "message": SCAN_TO_CONNECT,
                }
            )
        if observed.state == State.CONNECTED:
            raise Refused(status.HTTP_409_CONFLICT, "already_connected", ALREADY_CONNECTED)
        if observed.has_client:
            raise Refused(status.HTTP_404_NOT_FOUND, "qr_not_available", NO_CODE, RETRY_SECONDS)
        raise Refused(status.HTTP_404_NOT_FOUND, "client_not_found", NO_CLIENT)


class ReconnectView(ConnectionView):
    """`POST reconnect`: ask for a connection, and answer with its first QR code."""

    def post(self, request: Request, organization_id: int) -> Response:
        connection = self.operable(request, organization_id)
        try:
            requested = actions.request_reconnect(connection.pk, self.actor(request))
        except actions.AlreadyConnected as error:
            raise Refused(
                status.HTTP_409_CONFLICT, "already_connected", ALREADY_CONNECTED
            ) from error
        look = partial(_reconnected, connection.pk, requested.generation)
        answer = wait_for(connection.pk, look, settings.RECONNECT_WAIT_SECONDS)
        return answer or Response(
            {"message": INITIALIZED, "retryIn": RETRY_SECONDS * 1000},
            status=status.HTTP_202_ACCEPTED,
            headers={"Retry-After": str(RETRY_SECONDS)},
        )


def _reconnected(connection_id: int, generation: int) -> Response | None:
    """The answer to a reconnect, once there is one."""
    observed = observe(connection_id)
    if observed.connection.generation != generation:
        raise Refused(status.HTTP_409_CONFLICT, "superseded", SUPERSEDED)
    if observed.code:
        return Response(
            {
                "success": True,
                "message": SCAN_TO_RECONNECT,
                "qrCode": qr.png_url(observed.code),
            }
        )
    if observed.state == State.CONNECTED:
        return Response({"success": True, "message": RESUMED, "qrCode": None})
    if observed.state == State.ACTION_NEEDED:
        raise Refused(
            status.HTTP_503_SERVICE_UNAVAILABLE,
            observed.reason,
            observed.words.whole,
            RETRY_SECONDS,
        )
    return None


class DisconnectView(ConnectionView):
    """`DELETE disconnect`: log out, stop, delete the credentials, then answer."""

    def delete(self, request: Request, organization_id: int) -> Response:
        connection = self.operable(request, organization_id)
        was_connected = observe(connection.pk).state == State.CONNECTED
        requested = actions.request_disconnect(connection.pk, self.actor(request))
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
        if observed.connection.logout_wanted:
            raise Refused(
                status.HTTP_500_INTERNAL_SERVER_ERROR, observed.reason, observed.words.whole
            )
        return Response({"success": True, "message": _farewell(observed, was_connected)})


def _disconnected(connection_id: int, generation: int) -> Observed | None:
    """The connection, once the clean-up is done or has failed for good."""
    observed = observe(connection_id)
    connection = observed.connection
    if connection.logout_wanted and not connection.disconnecting:
        return observed
    superseded = connection.generation != generation
    done = superseded or connection.state == State.DISCONNECTED
    return observed if done and not connection.logout_wanted else None


def _farewell(observed: Observed, was_connected: bool) -> str:
    if observed.reason == "disconnected_untold":
        return observed.words.whole
    return DISCONNECTED if was_connected else WAS_NOT_CONNECTED
