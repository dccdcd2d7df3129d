"""REST API of organizations, with the state of their connections."""

from __future__ import annotations

from functools import partial, reduce
from operator import or_
from typing import Any

from django.db.models import Q
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from connections.api import schema_organizations as schema
from connections.api.organization_serializers import (
    ConnectedOrganizationSerializer,
    OrganizationQuery,
)
from connections.models import Connection
from connections.phone_silence import SilenceLevel, level_q
from connections.status import read_statuses, with_effective_state
from organizations import actions
from organizations.access import Caller, Permission
from organizations.api.serializers import NewOrganization, OrganizationChange
from organizations.api.views import CallerView
from organizations.models import Organization
from organizations.search import search_filter


class OrganizationsView(CallerView):
    """`/organizations`: those that the caller sees; a superuser makes new ones."""

    @schema.list_organizations
    def get(self, request: Request) -> Response:
        query = self.query(OrganizationQuery)
        rows = self.caller.organizations
        # An organization has a connection from the first look at it on.
        Connection.objects.create_missing(rows)
        if "active" in query:
            rows = rows.filter(deactivated_at__isnull=query["active"])
        if query.get("q"):
            rows = rows.filter(search_filter(query["q"]))
        if filters := _connection_filters(query):
            connections = with_effective_state(Connection.objects.all()).filter(*filters)
            rows = rows.filter(connection__in=connections)
        rows = rows.order_by(*OrganizationQuery.ORDERINGS[query["ordering"]])
        return self.page(rows, ConnectedOrganizationSerializer, partial(_context, self.caller))

    @schema.create_organization
    def post(self, request: Request) -> Response:
        self.caller.require_superuser()
        body = self.body(NewOrganization)
        organization = actions.create_organization(
            body["name"], self.caller.actor, body.get("expectedNumber", "")
        )
        return Response(_serialize(self, organization), status=status.HTTP_201_CREATED)


class OrganizationView(CallerView):
    """`/organizations/{id}`."""

    @schema.read_organization
    def get(self, request: Request, organization_id: int) -> Response:
        return Response(_serialize(self, self.caller.organization(organization_id)))

    @schema.replace_organization
    def put(self, request: Request, organization_id: int) -> Response:
        return self._change(organization_id, partial=False)

    @schema.change_organization
    def patch(self, request: Request, organization_id: int) -> Response:
        return self._change(organization_id, partial=True)

    def _change(self, organization_id: int, *, partial: bool) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        body = self.body(OrganizationChange, partial=partial, organization=organization)
        active = body.get("isActive", organization.is_active)
        if active != organization.is_active:
            self.caller.require_superuser()
            actions.set_active(organization, active, self.caller.actor)
        if "name" in body:
            actions.rename_organization(organization, body["name"], self.caller.actor)
        if "expectedNumber" in body:
            number = body["expectedNumber"]
            actions.set_expected_number(organization, number, self.caller.actor)
        if "operatorsReadMessages" in body:
            allowed = body["operatorsReadMessages"]
            actions.set_operators_read_messages(organization, allowed, self.caller.actor)
        return Response(_serialize(self, organization))

    @schema.deactivate_organization
    def delete(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id)
        self.caller.require_superuser()
        actions.set_active(organization, False, self.caller.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _connection_filters(query: dict[str, Any]) -> list[Q]:
    """Return the conditions of a list, for connections with their effective state."""
    filters = [
        Q(**{f"effective_{name}__in": query[name]}) for name in ("state", "reason") if name in query
    ]
    if levels := query.get("phoneSilence"):
        filters.append(reduce(or_, (level_q(SilenceLevel(level)) for level in levels)))
    return filters


def _serialize(view: CallerView, organization: Organization) -> dict[str, Any]:
    context = _context(view.caller, [organization])
    return ConnectedOrganizationSerializer(organization, context=context).data


def _context(caller: Caller, organizations: list[Organization]) -> dict[str, Any]:
    """Return what the serializer reads, in a number of queries that does not grow."""
    return {
        "roles": caller.roles(organizations),
        "statuses": read_statuses(organizations),
    }
