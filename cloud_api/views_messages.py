"""`{phone number}/messages`: send a message, mark one as read, show typing."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from cloud_api.cards import GraphMessageSerializer
from cloud_api.changes import change_named
from cloud_api.codes import Code
from cloud_api.content import rest_body
from cloud_api.errors import GraphError
from cloud_api.identifiers import public_id_of, user_id_of, wa_id_of, wamid
from cloud_api.views import GraphView
from connections.models import Worker
from events.models import Event
from messaging.actions import contacts, links, signals
from messaging.actions.contacts import Address
from messaging.api.views_messages import idempotency_key, new_message
from messaging.models import PUBLIC_ID_PATTERN, Contact, Message, MessagingSettings
from messaging.refusals import UnknownTarget
from organizations.access import Permission
from organizations.api.views import validated
from organizations.models import Organization

NOT_AN_OBJECT = "The body must be a JSON object."
NO_PRODUCT = "The parameter messaging_product is required, and must be “whatsapp”."
NOT_READ = "status: Only “read” can be reported."
NO_WORKER = "No worker of this service is running, so nothing can be sent. Try again soon."
RETRY_SECONDS = 10


class MessagesView(GraphView):
    """`/{phone number}/messages`."""

    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.SEND_MESSAGES)
        asked = request.data
        if not isinstance(asked, dict):
            raise GraphError(Code.INVALID, NOT_AN_OBJECT)
        if asked.get("messaging_product") != "whatsapp":
            raise GraphError(Code.INVALID, NO_PRODUCT)
        if "status" in asked:
            return _mark_read(organization, asked)
        message = self._send(organization, asked)
        return Response(_accepted(asked, message))

    def _send(self, organization: Organization, asked: dict[str, Any]) -> Message:
        key = idempotency_key(self.request)
        # Read only where it counts: storing the message reads the settings anyway.
        as_text = (
            asked.get("type") != "interactive"
            or MessagingSettings.of(organization.pk).interactive_as_text
        )
        body = rest_body(organization.pk, asked, as_text)
        serializer = GraphMessageSerializer(data=body, context=self.context_of(organization))
        new = new_message(validated(serializer), key)
        if not Worker.objects.alive().exists():
            raise GraphError(Code.UNAVAILABLE, NO_WORKER, 503, wait=RETRY_SECONDS)
        return links.enqueue(organization.pk, new, self.caller.actor)


def _mark_read(organization: Organization, asked: dict[str, Any]) -> Response:
    """Mark a message as read, and show typing if that is asked for."""
    if asked["status"] != "read":
        raise GraphError(Code.BAD_FIELD, NOT_READ)
    named = public_id_of(asked.get("message_id"))
    if change := change_named(organization.pk, named):
        # WhatsApp marks messages only, and software marks whatever it was told of.
        if asked.get("typing_indicator") and (contact := _person_of(change)):
            signals.show_typing(contact, True)
        return Response({"success": True})
    if not (isinstance(named, str) and re.fullmatch(PUBLIC_ID_PATTERN, named)):
        raise UnknownTarget
    messages = Message.objects.filter(organization=organization).select_related("contact")
    message = messages.filter(public_id=named).first()
    if message is None:
        raise UnknownTarget
    signals.mark_read(message)
    if asked.get("typing_indicator"):
        signals.show_typing(message.contact, True)
    return Response({"success": True})


def _person_of(change: Event) -> Contact | None:
    """Return who edited, deleted or reacted; None for somebody who was erased since."""
    person = change.data.get("from") or {}
    number = (person.get("phone") or "").removeprefix("+")
    return contacts.find(change.organization_id, Address(number, person.get("lid") or ""))


def _accepted(asked: dict[str, Any], message: Message) -> dict[str, Any]:
    """Return Meta's answer to a message that waits to be sent."""
    contact = message.contact
    return {
        "messaging_product": "whatsapp",
        "contacts": [
            {
                "input": str(asked.get("to") or asked.get("recipient")),
                "wa_id": wa_id_of(contact.number, contact.lid),
                "user_id": user_id_of(contact.number, contact.lid),
            }
        ],
        "messages": [{"id": wamid(message.public_id), "message_status": "accepted"}],
    }
