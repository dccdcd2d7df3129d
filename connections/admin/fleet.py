"""The fleet in Django admin: the page on which people land."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from connections.display import FILTER_OF_SECTION, Section
from connections.history.chart import charts
from connections.lifecycle import Reason
from connections.live.fleet import ConnectionSummary, Fleet, Group, get_fleet
from connections.live.outages import find_outages
from connections.reason_texts import NextAction
from organizations.admin.base import caller_of
from organizations.admin.invitations import received_by

SHOWN = 50
"""How many rows of a section the page shows; the list has them all."""

_COLLAPSED = (Section.DISCONNECTED, Section.NEVER_LINKED, Section.DEACTIVATED)


@dataclass(frozen=True)
class SectionView:
    """A section as the page shows it."""

    group: Group
    rows: list[dict[str, Any]]

    @property
    def name(self) -> str:
        return self.group.section

    @property
    def title(self) -> str:
        return self.group.title

    @property
    def count(self) -> int:
        return len(self.group.rows)

    @property
    def collapsed(self) -> bool:
        """Whether the section starts closed, since nothing needs a person there."""
        return self.group.section in _COLLAPSED

    @property
    def list_url(self) -> str:
        """The URL of the list with all rows of the section."""
        query = urlencode({"state": FILTER_OF_SECTION[self.group.section]})
        return f"{reverse('admin:connections_connection_changelist')}?{query}"

    @property
    def has_more(self) -> bool:
        return self.count > SHOWN


@require_safe
def fleet_view(request: HttpRequest) -> HttpResponse:
    """GET: the connections by section, the most urgent first, and the charts."""
    fleet, now = get_fleet(caller_of(request)), timezone.now()
    connections = [row["organization"] for group in fleet.groups for row in group.rows]
    context = {
        **admin.site.each_context(request),
        **_fleet_context(fleet, now),
        "title": _("Connections"),
        "outages": find_outages(caller_of(request)),
        "charts": charts(connections, fleet.count(Section.CONNECTED), now),
        "connected": fleet.count(Section.CONNECTED),
        "needing": fleet.count(Section.ACTION_NEEDED),
        "empty_row": _EMPTY_ROW,
        "shown": SHOWN,
        "invitations": received_by(request),
        "may_add": caller_of(request).is_superuser,
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, "connections/fleet/page.html", context)


def _fleet_context(fleet: Fleet, now: datetime) -> dict[str, Any]:
    sections = [
        SectionView(group, [_row(summary, now) for summary in group.rows[:SHOWN]])
        for group in fleet.groups
    ]
    return {"sections": sections, "health": fleet.health, "now": now}


def _row(summary: ConnectionSummary, now: datetime) -> dict[str, Any]:
    """Return a summary with its times as text, and whether it gets the Reconnect button."""
    since = datetime.fromisoformat(summary["since"]) if summary["since"] else None
    # The detail says when a ban ends.
    tells_retry = summary["retryAt"] and summary["reason"] != Reason.TEMPORARILY_BANNED
    retry = datetime.fromisoformat(summary["retryAt"]) if tells_retry else None
    return summary | {
        "sinceTime": since,
        "sinceText": _ago(since, now) if since else "",
        "retryTime": retry,
        "retryText": _next_try(retry, now) if retry else "",
        "reconnects": summary["canReconnect"] and summary["step"] == NextAction.RECONNECT,
    }


def _ago(moment: datetime, now: datetime) -> str:
    if (now - moment).total_seconds() < 60:
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, now, depth=1)}


def _next_try(moment: datetime, now: datetime) -> str:
    if moment <= now:
        return _("Trying now")
    if (moment - now).total_seconds() < 60:
        return _("Next try within a minute")
    return _("Next try in %(time)s") % {"time": timeuntil(moment, now, depth=1)}


# The row that the page's script copies for a new connection.
_EMPTY_ROW: dict[str, Any] = dict.fromkeys(
    ("name", "section", "panel", "panelName", "sentence", "detail", "nextStep", "numberText"), ""
)
_EMPTY_ROW |= {"organization": 0, "mayOperate": True, "reconnects": True}
