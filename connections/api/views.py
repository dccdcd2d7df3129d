"""The views of one organization's connection. Their answers are a contract with old clients."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from rest_framework import status as http_status
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions
from connections.api import schema
from connections.api.errors import RefusedResponse
from connections.api.serializers import status_response
from connections.broadcast import connection_group
from connections.database_outages import DATABASE_UNAVAILABLE
from connections.lifecycle import Reason, State
from connections.long_poll import wait_for
from connections.models import Connection
from connections.status import ConnectionStatus, get_status
from organizations.access import Permission
from organizations.api.views import CallerView

logger = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_SECONDS = 3

DISCONNECTED = "WhatsApp disconnected. The saved credentials were deleted."
WAS_NOT_CONNECTED = "WhatsApp was not connected. Saved credentials, if any, were deleted."
CANCELLED = "The pairing was cancelled."
NOTHING_TO_CANCEL = "There was no pairing to cancel."
DISCONNECT_INITIALIZED = "Disconnecting has begun and will be finished shortly."


class ConnectionView(CallerView):
    """A view of one organization's connection, for those who may see it."""

    def connection(self, organization_id: int, permission: Permission) -> Connection:
        """Return the connection. Raises Organization.DoesNotExist (404), PermissionDenied (403)."""
        organization = self.caller.organization(organization_id, permission, "connection__worker")
        try:
            return organization.connection
        except Connection.DoesNotExist:
            return Connection.objects.of(organization)


def accepted_response(message: str, **fields: Any) -> Response:
    """Return 202: the request goes on, and the client asks again after RETRY_SECONDS."""
    return Response(
        {**fields, "message": message, "retryIn": RETRY_SECONDS * 1000},
        status=http_status.HTTP_202_ACCEPTED,
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def wait_for_result(connection_id: int, check: Callable[[], T | None], seconds: float) -> T | None:
    """Return the first result of `check` for a request that is stored; None if there is none yet.

    None also when the database fails meanwhile: the request is carried out all the same.
    """
    try:
        return wait_for(connection_group(connection_id), check, seconds)
    except DATABASE_UNAVAILABLE:
        logger.warning(
            "the database failed after a request was stored",
            extra={"organization": connection_id},
            exc_info=True,
        )
        return None


class StatusView(ConnectionView):
    """`GET status`: what is, why, and what helps."""

    @schema.read_status
    def get(self, request: Request, organization_id: int) -> Response:
        return Response(
            status_response(get_status(self.connection(organization_id, Permission.SEE)))
        )


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
        was_connected = (
            connection.state == State.CONNECTED and get_status(connection).state == State.CONNECTED
        )
        requested = actions.request_disconnect(connection.pk, self.caller.actor)
        check = partial(finished_disconnect, connection.pk, requested.generation)
        status = wait_for_result(connection.pk, check, settings.DISCONNECT_WAIT_SECONDS)
        if status is None:
            return accepted_response(DISCONNECT_INITIALIZED, success=True)
        if status.connection.logout_pending:
            raise RefusedResponse(
                http_status.HTTP_500_INTERNAL_SERVER_ERROR, status.reason, status.reason_text.full
            )
        return Response({"success": True, "message": disconnected_message(status, was_connected)})


def finished_disconnect(connection_id: int, generation: int) -> ConnectionStatus | None:
    """Return the status once the clean-up is done or has failed for good."""
    connection = Connection.objects.get(pk=connection_id)
    if connection.logout_pending:
        done = not connection.disconnecting
    else:
        done = connection.generation != generation or connection.state == State.DISCONNECTED
    return get_status(connection) if done else None


def disconnected_message(status: ConnectionStatus, was_connected: bool) -> str:
    """Return the sentence of a finished disconnect."""
    if status.reason == Reason.DISCONNECTED_UNCONFIRMED:
        return status.reason_text.full
    return DISCONNECTED if was_connected else WAS_NOT_CONNECTED
