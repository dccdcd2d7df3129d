"""REST API: what a removal would delete, its start, and how far it has come."""

from __future__ import annotations

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from connections.models import Connection
from organizations.api.views import CallerView, Conflict
from removal import actions, contents
from removal.api import schema
from removal.api.serializers import DecideLogoutBody, StartRemovalBody
from removal.models import Removal
from removal.refusals import NothingToDecide
from removal.status import status_of


class OrganizationRemovalView(CallerView):
    """`/organizations/{id}/removal`."""

    @schema.read_contents
    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id)
        self.caller.require_superuser()
        found = contents.count(organization.pk)
        linked = bool(Connection.objects.of(organization).store_name)
        return Response(
            {"counts": found.counts, "mediaBytes": found.media_bytes, "isLinked": linked}
        )

    @schema.start_removal
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id)
        self.caller.require_superuser()
        body = self.body(StartRemovalBody, organization=organization)
        removal = actions.start_removal(
            organization, self.caller.actor, wait_for_logout=body["waitForLogout"]
        )
        return Response(status_of(removal).json(), status=status.HTTP_202_ACCEPTED)


class RemovalView(CallerView):
    """`/removals/{id}`: by the id that the organization had."""

    @schema.read_removal
    def get(self, request: Request, organization_id: int) -> Response:
        self.caller.require_superuser()
        return Response(status_of(Removal.objects.get(pk=organization_id)).json())

    @schema.decide_logout
    def patch(self, request: Request, organization_id: int) -> Response:
        self.caller.require_superuser()
        Removal.objects.get(pk=organization_id)
        body = self.body(DecideLogoutBody)
        try:
            removal = actions.decide_logout(
                organization_id, self.caller.actor, wait_for_logout=body["waitForLogout"]
            )
        except NothingToDecide as refused:
            raise Conflict(str(refused)) from refused
        return Response(status_of(removal).json(), status=status.HTTP_202_ACCEPTED)
