"""`owner-link`: make a link for the phone's owner, and revoke it."""

from __future__ import annotations

from datetime import timedelta

from rest_framework import status as http_status
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions
from connections.api import schema_many as schema
from connections.api.serializers_many import OwnerLinkBodySerializer
from connections.api.views import ConnectionView
from connections.owner_urls import url_of
from organizations.access import Permission


class OwnerLinkView(ConnectionView):
    """`/organizations/{id}/whatsapp/owner-link`."""

    @schema.make_owner_link
    def post(self, request: Request, organization_id: int) -> Response:
        connection = self.connection(organization_id, Permission.OPERATE)
        seconds = self.body(OwnerLinkBodySerializer).get("expiresIn")
        lifetime = timedelta(seconds=seconds) if seconds else None
        link, secret = actions.make_owner_link(connection.pk, self.caller.actor, lifetime)
        expires_at = link.expires_at.isoformat()
        return Response(
            {"success": True, "url": url_of(request._request, secret), "expiresAt": expires_at},
            status=http_status.HTTP_201_CREATED,
        )

    @schema.revoke_owner_link
    def delete(self, request: Request, organization_id: int) -> Response:
        connection = self.connection(organization_id, Permission.OPERATE)
        actions.revoke_owner_link(connection.pk, self.caller.actor)
        return Response(status=http_status.HTTP_204_NO_CONTENT)
