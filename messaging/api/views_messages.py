"""`messages`: send them, see what became of them, decide about what is held."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import status as http_status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from connections.database_outages import DATABASE_UNAVAILABLE
from messaging.actions import decisions, links, outgoing, unsent
from messaging.actions.contacts import Address
from messaging.actions.outgoing import NewMessage
from messaging.api import schema_messages as schema
from messaging.api.serializers import MessageQuery, NewMessageSerializer, cursor_of
from messaging.models import Message
from messaging.queue_reasons import WaitingReasons
from messaging.representation import full, limits_json, state_of
from organizations.access import DENIED_MESSAGES, MESSAGE_PERMISSIONS, Permission
from organizations.api.views import CallerView
from organizations.models import Organization
from organizations.phone_numbers import spellings

logger = logging.getLogger(__name__)

KEY_LENGTH = 255
BAD_KEY = _("It must have 1 to 255 printable ASCII characters.")
NO_MESSAGE = _("There is no such message.")

Represent = Callable[[Message, WaitingReasons], dict[str, Any]]


class MessagingView(CallerView):
    """A view of an organization's messages."""

    def sender(self, organization_id: int, *related: str) -> Organization:
        """Return the organization, with what is read along. See `Caller.organization`."""
        return self.caller.organization(organization_id, Permission.SEND_MESSAGES, *related)

    def reader(self, organization_id: int) -> tuple[Organization, Represent]:
        """Return the organization, and how its messages are told to this caller.

        Callers who only send are told states and no texts.
        """
        organization = self.caller.organization(organization_id)
        held = self.caller.permissions(organization) & MESSAGE_PERMISSIONS
        if not held:
            raise PermissionDenied(gettext(DENIED_MESSAGES[Permission.READ_MESSAGES]))
        return organization, full if Permission.READ_MESSAGES in held else state_of

    def messages(self, organization: Organization, represent: Represent) -> QuerySet[Message]:
        """Return the organization's messages, with all that `represent` needs."""
        found = Message.objects.filter(organization=organization)
        if represent is full:
            return found.select_related("contact", "media", "resends")
        found = found.select_related("contact", "resends")
        return found.defer("content", "contact__name", "resends__content")

    def message(
        self, organization: Organization, public_id: str, represent: Represent = state_of
    ) -> Message:
        """Return a message of the organization. Raises NotFound."""
        message = self.messages(organization, represent).filter(public_id=public_id).first()
        if message is None:
            raise NotFound(gettext(NO_MESSAGE))
        return message


class MessagesView(MessagingView):
    """`/organizations/{id}/messages`."""

    @schema.list_messages
    def get(self, request: Request, organization_id: int) -> Response:
        organization, represent = self.reader(organization_id)
        query = self.query(MessageQuery, organization)
        size = query["pageSize"]
        rows = _filtered(self.messages(organization, represent), query)
        if "contact" in query and represent is not full:
            # The other rows hide the person, which the filter would give away.
            rows = rows.filter(direction=Message.Direction.OUT)
        found = list(rows.order_by("-pk")[: size + 1])
        next_url = None
        if len(found) > size:
            url = request.build_absolute_uri()
            next_url = replace_query_param(url, "cursor", cursor_of(found[size - 1].pk))
        waiting = WaitingReasons(organization.pk)
        results = [represent(row, waiting) for row in found[:size]]
        return Response({"next": next_url, "results": results})

    @schema.send_message
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.sender(organization_id, "connection")  # It knows the own numbers.
        key = idempotency_key(request)
        body = self.body(NewMessageSerializer, organization=organization)
        message = links.enqueue(organization.pk, new_message(body, key), self.caller.actor)
        return _accepted(message)


class MessageView(MessagingView):
    """`/organizations/{id}/messages/{message}`."""

    @schema.read_message
    def get(self, request: Request, organization_id: int, message_id: str) -> Response:
        organization, represent = self.reader(organization_id)
        message = self.message(organization, message_id, represent)
        return Response({"success": True, **represent(message, WaitingReasons(organization.pk))})

    @schema.cancel_message
    def delete(self, request: Request, organization_id: int, message_id: str) -> Response:
        organization = self.sender(organization_id)
        message = self.message(organization, message_id)
        cancelled = unsent.cancel(organization.pk, message.pk)
        return Response({"success": True, **state_of(cancelled, WaitingReasons(organization.pk))})


class ResendView(MessagingView):
    """`/organizations/{id}/messages/{message}/resend`: send it once more, as a new message."""

    @schema.resend_message
    def post(self, request: Request, organization_id: int, message_id: str) -> Response:
        organization = self.sender(organization_id)
        message = self.message(organization, message_id)
        return _accepted(outgoing.resend(organization.pk, message.pk, self.caller.actor))


class ReleaseView(MessagingView):
    """`/organizations/{id}/messages/release`: send what is held since a new link."""

    @schema.release_messages
    def post(self, request: Request, organization_id: int) -> Response:
        released = decisions.release_held(self.sender(organization_id), self.caller.actor)
        return Response({"success": True, "count": released})


class DropView(MessagingView):
    """`/organizations/{id}/messages/drop`: cancel what is held since a new link."""

    @schema.drop_messages
    def post(self, request: Request, organization_id: int) -> Response:
        dropped = decisions.drop_held(self.sender(organization_id), self.caller.actor)
        return Response({"success": True, "count": dropped})


def _accepted(message: Message) -> Response:
    """Return 202. The message is stored: the database may fail now, and the answer says less."""
    waiting = WaitingReasons.of_new(message)
    try:
        told = {**state_of(message, waiting), "limits": limits_json(waiting.limits())}
    except DATABASE_UNAVAILABLE:
        logger.warning(
            "the database failed after a message was stored",
            extra={"organization": message.organization_id},
            exc_info=True,
        )
        told = {**state_of(message, None), "limits": None}
    return Response({"success": True, **told}, status=http_status.HTTP_202_ACCEPTED)


def idempotency_key(request: Request) -> str:
    """Return the caller's key, "" for none. Raises ValidationError."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= KEY_LENGTH):
        raise ValidationError({"Idempotency-Key": [gettext(BAD_KEY)]})
    return key


def new_message(body: dict[str, Any], key: str) -> NewMessage:
    """Return what a validated body asks for."""
    kind = body["type"]
    content = dict(body[kind])
    return NewMessage(
        to=body["to"],
        type=kind,
        body=content,
        context=(body.get("context") or {}).get("messageId", ""),
        expires_at=body.get("expiresAt"),
        on_unknown=body["onUnknown"],
        media=content.pop("id", ""),
        link=content.pop("link", ""),
        key=key,
        callback_data=body.get("callbackData", ""),
    )


def _filtered(rows: QuerySet[Message], query: dict[str, Any]) -> QuerySet[Message]:
    filters = {
        "state": ("state__in", query.get("state")),
        "direction": ("direction", query.get("direction")),
        "since": ("created_at__gte", query.get("since")),
        "until": ("created_at__lt", query.get("until")),
        "cursor": ("pk__lt", query.get("cursor")),
    }
    rows = rows.filter(**{name: value for name, value in filters.values() if value is not None})
    return _with_contact(rows, query["contact"]) if "contact" in query else rows


def _with_contact(rows: QuerySet[Message], address: Address) -> QuerySet[Message]:
    if address.lid:
        return rows.filter(contact__lid=address.lid)
    return rows.filter(contact__number__in=[address.number, *spellings(address.number)])
