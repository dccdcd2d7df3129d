"""`messages/{id}/read` and `typing`: what the other person is told besides messages."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from messaging.actions import contacts, signals
from messaging.api import schema_signals as schema
from messaging.api.serializers import ReadSerializer, TypingSerializer
from messaging.api.views_messages import MessagingView
from messaging.refusals import UnknownRecipient


class ReadView(MessagingView):
    """`/organizations/{id}/messages/{message}/read`: tell the sender that it was read."""

    @schema.mark_read
    def post(self, request: Request, organization_id: int, message_id: str) -> Response:
        organization = self.sender(organization_id)
        body = self.body(ReadSerializer)
        signals.mark_read(self.message(organization, message_id), body["played"])
        return Response({"success": True})


class TypingView(MessagingView):
    """`/organizations/{id}/typing`: show a person that an answer is being written."""

    @schema.show_typing
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.sender(organization_id)
        body = self.body(TypingSerializer)
        contact = contacts.find(organization.pk, body["to"])
        if contact is None:
            raise UnknownRecipient
        signals.show_typing(contact, body["typing"])
        return Response({"success": True})
