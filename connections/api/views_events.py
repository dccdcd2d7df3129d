"""`GET events`: an organization's history: its connection's events and its audit entries."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from connections.api.schema_events import list_events
from connections.api.schema_responses import EventQuery
from connections.detail_messages import translate_detail
from connections.history import entries
from connections.history.entries import AUDIT, CONNECTION, LineQuery, Position
from connections.models import ConnectionEvent
from organizations.access import Permission
from organizations.api.views import CallerView
from organizations.models import AuditEntry


class EventsView(CallerView):
    """`/organizations/{id}/events`."""

    @list_events
    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id)
        manages = self.caller.may(Permission.MANAGE, organization)
        query = self.query(EventQuery)
        size = query["pageSize"]
        lines = entries.lines(_line_query(organization.pk, query, manages), size + 1)
        next_url = None
        if len(lines) > size:
            last_position, _line = lines[size - 1]
            url = request.build_absolute_uri()
            next_url = replace_query_param(url, "cursor", last_position.cursor)
        results = [_as_json(position, line, manages) for position, line in lines[:size]]
        return Response({"next": next_url, "results": results})


def _line_query(organization_id: int, query: dict[str, Any], manages: bool) -> LineQuery:
    """Return which lines to read. Only callers who manage the organization get audit entries."""
    kinds = {CONNECTION, AUDIT} if manages else {CONNECTION}
    if "kind" in query:
        kinds &= {query["kind"]}
    return LineQuery(
        organization_id,
        frozenset(kinds),
        query.get("reason"),
        query.get("since"),
        query.get("until"),
        query.get("cursor"),
    )


def _as_json(
    position: Position, line: ConnectionEvent | AuditEntry, manages: bool
) -> dict[str, Any]:
    """Return an event or an audit entry in the shape that both share."""
    fields = {
        "id": f"{position.kind}-{position.number}",
        "at": line.at.isoformat(),
        "kind": position.kind,
        "detail": translate_detail(line.detail),
        "actor": line.actor or None,
        "address": line.address if manages else None,
    }
    if isinstance(line, AuditEntry):
        fields |= {"event": line.action, "sentence": f"{line.get_action_display()}."}
        return fields | {"state": None, "stateBefore": None, "reason": None, "attempt": None}
    return fields | {
        "event": line.observation,
        "sentence": line.sentence,
        "state": line.state,
        "stateBefore": line.state_before,
        "reason": line.reason,
        "attempt": line.attempt_id,
    }
