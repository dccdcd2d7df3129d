"""The REST API of organizations."""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from organizations import actions, operations
from organizations.access import Ability
from organizations.models import Organization
from organizations.serializers import (
    NewOrganization,
    OrganizationChange,
    OrganizationQuery,
    OrganizationSerializer,
)
from organizations.views import CallerView


class OrganizationsView(CallerView):
    """`/organizations`: those that the caller sees; a superuser makes new ones."""

    @operations.LIST_ORGANIZATIONS
    def get(self, request: Request) -> Response:
        query = self.query(OrganizationQuery)
        rows = self.caller.organizations
        if "active" in query:
            rows = rows.filter(deactivated_at__isnull=query["active"])
        if query.get("q"):
            rows = rows.filter(name__icontains=query["q"])
        rows = rows.order_by(*OrganizationQuery.ORDERINGS[query["ordering"]])
        return self.page(rows, OrganizationSerializer, self.caller.roles)

    @operations.CREATE_ORGANIZATION
    def post(self, request: Request) -> Response:
        self.caller.superuser()
        body = self.body(NewOrganization)
        organization = actions.create_organization(
            body["name"], self.caller.actor, body.get("expectedNumber", "")
        )
        return Response(_told(self, organization), status=status.HTTP_201_CREATED)


class OrganizationView(CallerView):
    """`/organizations/{id}`."""

    @operations.READ_ORGANIZATION
    def get(self, request: Request, organization_id: int) -> Response:
        return Response(_told(self, self.caller.organization(organization_id)))

    @operations.REPLACE_ORGANIZATION
    def put(self, request: Request, organization_id: int) -> Response:
        return self._change(organization_id, partial=False)

    @operations.CHANGE_ORGANIZATION
    def patch(self, request: Request, organization_id: int) -> Response:
        return self._change(organization_id, partial=True)

    def _change(self, organization_id: int, *, partial: bool) -> Response:
        organization = self.caller.organization(organization_id, Ability.MANAGE)
        body = self.body(OrganizationChange, partial=partial, organization=organization)
        active = body.get("isActive", organization.is_active)
        if active != organization.is_active:
            self.caller.superuser()
            actions.set_active(organization, active, self.caller.actor)
        if "name" in body:
            actions.rename_organization(organization, body["name"], self.caller.actor)
        if "expectedNumber" in body:
            number = body["expectedNumber"]
            actions.set_expected_number(organization, number, self.caller.actor)
        return Response(_told(self, organization))

    @operations.DEACTIVATE_ORGANIZATION
    def delete(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id)
        self.caller.superuser()
        actions.set_active(organization, False, self.caller.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _told(view: CallerView, organization: Organization) -> dict[str, Any]:
    roles = view.caller.roles([organization])
    return OrganizationSerializer(organization, context={"roles": roles}).data
