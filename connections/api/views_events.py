"""`GET events`: what happened to an organization, and who did what from where."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from connections.api.schema_events import list_events
from connections.api.schema_responses import EventQuery
from connections.detail_messages import translate_detail
from connections.history import entries
from connections.history.entries import AUDIT, CONNECTION, Place, Wanted
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
        found = entries.lines(_wanted(organization.pk, query, manages), size + 1)
        here = request.build_absolute_uri()
        more = len(found) > size
        following = replace_query_param(here, "cursor", found[size - 1][0].cursor) if more else None
        results = [_told(place, line, manages) for place, line in found[:size]]
        return Response({"next": following, "results": results})


def _wanted(organization_id: int, query: dict[str, Any], manages: bool) -> Wanted:
    """Who does not manage the organization sees nothing of how it is managed."""
    kinds = {CONNECTION, AUDIT} if manages else {CONNECTION}
    if "kind" in query:
        kinds &= {query["kind"]}
    return Wanted(
        organization_id,
        frozenset(kinds),
        query.get("reason"),
        query.get("since"),
        query.get("until"),
        query.get("cursor"),
    )


def _told(place: Place, line: ConnectionEvent | AuditEntry, manages: bool) -> dict[str, Any]:
    """A line of either history, in one shape."""
    told = {
        "id": f"{place.kind}-{place.number}",
        "at": line.at.isoformat(),
        "kind": place.kind,
        "detail": translate_detail(line.detail),
        "actor": line.actor or None,
        "address": line.address if manages else None,
    }
    if isinstance(line, AuditEntry):
        told |= {"event": line.action, "sentence": f"{line.get_action_display()}."}
        return told | {"state": None, "stateBefore": None, "reason": None, "attempt": None}
    return told | {
        "event": line.observation,
        "sentence": line.sentence,
        "state": line.state,
        "stateBefore": line.state_before,
        "reason": line.reason,
        "attempt": line.attempt_id,
    }
