"""`contacts/erase` and `export`: what the owner of the data of an organization asks for."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from messaging.actions import contacts, decisions, erasure
from messaging.api import schema_data as schema
from messaging.api.serializers import EraseContactSerializer
from messaging.export import export_response
from messaging.refusals import UnknownContact
from organizations.api.views import AnyAccept, CallerView
from organizations.models import Organization


class DataView(CallerView):
    """A view for those who manage an organization and read its messages."""

    def owned(self, organization_id: int) -> Organization:
        """Return the organization. Raises Organization.DoesNotExist, PermissionDenied."""
        organization = self.caller.organization(organization_id)
        self.caller.require_full_data(organization)
        return organization


class EraseContactView(DataView):
    """`/organizations/{id}/contacts/erase`: erase everything of one person."""

    @schema.erase_contact
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.owned(organization_id)
        # In the body: an address would stand in the logs of proxies.
        address = self.body(EraseContactSerializer, organization=organization)["contact"]
        contact = contacts.find(organization.pk, address)
        if contact is None:
            raise UnknownContact
        count = erasure.erase_contact(organization, contact.pk, self.caller.actor)
        return Response({"success": True, "count": count})


class ExportView(DataView):
    """`/organizations/{id}/export`: everything, as lines of JSON."""

    content_negotiation_class = AnyAccept

    @schema.export_messages
    def get(self, request: Request, organization_id: int) -> StreamingHttpResponse:
        organization = self.owned(organization_id)
        decisions.record_export(organization, self.caller.actor)
        return export_response(organization, self.caller)
