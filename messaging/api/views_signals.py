"""`read` and `typing`: what the other person sees beside messages."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from messaging.actions import contacts, signals
from messaging.api import schema_signals as schema
from messaging.api.people import may_know
from messaging.api.serializers import ReadSerializer, TypingSerializer
from messaging.api.views_messages import MessagingView
from messaging.refusals import UnknownContact


class ReadView(MessagingView):
    """`/organizations/{id}/messages/{message}/read`: mark it and the older ones as read."""

    @schema.mark_read
    def post(self, request: Request, organization_id: int, message_id: str) -> Response:
        organization = self.sender(organization_id)
        message = self.message(organization, message_id)
        # The body may be left out; clients then send any content type.
        has_body = request.content_type.startswith("application/json")
        played = self.body(ReadSerializer)["played"] if has_body else False
        signals.mark_read(message, played)
        return Response({"success": True})


class TypingView(MessagingView):
    """`/organizations/{id}/typing`: show a person that an answer is being written."""

    @schema.show_typing
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.sender(organization_id)
        body = self.body(TypingSerializer, organization=organization)
        contact = contacts.find(organization.pk, body["to"])
        if contact is None or not may_know(self.caller, contact, organization):
            raise UnknownContact
        signals.show_typing(contact, body["typing"])
        return Response({"success": True})
