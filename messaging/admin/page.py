"""The frame of an organization's tabs: its state above, the tabs, and who sees what."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from connections import simulator_bridge
from connections.api.serializers import snapshot
from connections.lifecycle import State
from connections.models import Connection
from connections.status import read_status
from messaging.admin.rights import Rights
from organizations.models import Organization


def render_tab(
    request: HttpRequest,
    organization: Organization,
    rights: Rights,
    template: str,
    context: dict[str, Any],
    status: int = 200,
) -> TemplateResponse:
    """Return a page below the organization's state and tabs."""
    connection = read_status(Connection.objects.of(organization).pk)
    shared = {
        **admin.site.each_context(request),
        "title": organization.name,
        "organization": organization,
        "rights": rights,
        "status": snapshot(connection, may_operate=False, with_history=False),
        "connected": connection.state == State.CONNECTED,
        "number": connection.connection.number,
        "simulator": simulator_bridge.enabled(),
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, template, shared | context, status=status)


def wants_json(request: HttpRequest) -> bool:
    """Return whether a script asks, and not a plain form."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"
