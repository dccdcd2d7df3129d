"""`feed`: the log of an organization, read by a cursor, with a long poll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from connections.long_poll import wait_for
from events import log
from events.models import Event
from events.notifications import log_group
from messaging.api import schema_feed as schema
from messaging.api.serializers import FeedQuery
from organizations.access import Permission
from organizations.api.views import CallerView

BEYOND_THE_END = _("There is no event {after} yet; the newest is {last}.")


class Page(NamedTuple):
    """Events, and the cursor behind them."""

    events: Sequence[Event]
    next: int


class FeedView(CallerView):
    """`/organizations/{id}/feed`."""

    @schema.read_feed
    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.READ_MESSAGES)
        query = self.query(FeedQuery)
        if query["after"] > (last := log.last_sequence(organization.pk)):
            text = gettext(BEYOND_THE_END).format(after=query["after"], last=last)
            raise ValidationError({"after": [text]})

        def check() -> Page | None:
            page = _read(organization.pk, query)
            return page if page.events else None

        page = _read(organization.pk, query)
        if query["wait"] and not page.events:
            waited = wait_for(log_group(organization.pk), check, query["wait"])
            # The right may have ended during the wait.
            self.caller.reread().require(Permission.READ_MESSAGES, organization)
            page = waited or _read(organization.pk, query)
        events = [event_json(event) for event in page.events]
        return Response({"events": events, "next": page.next})


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as the feed tells it."""
    return {
        "sequence": event.sequence,
        "type": event.type,
        "at": event.at.isoformat(),
        "data": event.data,
    }


def _read(organization_id: int, query: dict[str, Any]) -> Page:
    """Read the next events of the wanted types; the cursor skips those of other types."""
    after, limit, types = query["after"], query["limit"], query.get("types", ())
    # Asked first: all events up to it are committed, so none of them is skipped.
    last = log.last_sequence(organization_id) if types else 0
    events = log.read(organization_id, after, limit, types)
    end = events[-1].sequence if events else after
    return Page(events, max(end, last) if len(events) < limit else end)
