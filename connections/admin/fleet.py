"""The fleet in Django admin: the home of the app, and the summary on the admin's first page."""

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
from connections.live.fleet import Brief, Fleet, Group, fleet_of
from connections.reason_texts import NextAction
from connections.status import refused_since
from organizations.admin.base import caller_of
from organizations.admin.invitations import received_by

SHOWN = 50
"""How many of a section are on the page; the list has them all."""

_FOLDED = (Section.DISCONNECTED, Section.DEACTIVATED)


@dataclass(frozen=True)
class Shown:
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
    def folded(self) -> bool:
        """Whether it is there to be opened, since nothing is the matter there."""
        return self.group.section in _FOLDED

    @property
    def listed(self) -> str:
        """The list of all that are in it."""
        query = urlencode({"state": FILTER_OF_SECTION[self.group.section]})
        return f"{reverse('admin:connections_connection_changelist')}?{query}"

    @property
    def more(self) -> bool:
        return self.count > SHOWN


@require_safe
def fleet_view(request: HttpRequest) -> HttpResponse:
    """What needs a person, first; then all the others, and how it has been."""
    fleet, now = fleet_of(caller_of(request)), timezone.now()
    connections = [row["organization"] for group in fleet.groups for row in group.rows]
    context = {
        **admin.site.each_context(request),
        **_told(fleet, now),
        "title": _("Connections"),
        "refused_since": refused_since(),
        "charts": charts(connections, fleet.count(Section.CONNECTED), now),
        "connected": fleet.count(Section.CONNECTED),
        "blank": _BLANK,
        "shown": SHOWN,
        "invitations": received_by(request),
        "may_add": caller_of(request).is_superuser,
        "models": _models(request),
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, "connections/fleet/page.html", context)


def index_view(request: HttpRequest) -> HttpResponse:
    """The admin's first page, with the fleet in short."""
    told = _told(fleet_of(caller_of(request)), timezone.now())
    return admin.site.index(request, told | {"invitations": received_by(request)})


def _models(request: HttpRequest) -> list[dict[str, Any]]:
    """The app's lists, as Django would have shown them here."""
    found = admin.site.get_app_list(request, "connections")
    return list(found[0]["models"]) if found else []


def _told(fleet: Fleet, now: datetime) -> dict[str, Any]:
    sections = [
        Shown(group, [_row(brief, now) for brief in group.rows[:SHOWN]]) for group in fleet.groups
    ]
    return {"sections": sections, "mood": fleet.mood, "now": now}


def _row(brief: Brief, now: datetime) -> dict[str, Any]:
    """A line with its times in words, and with the button that helps."""
    since = datetime.fromisoformat(brief["since"])
    retry = datetime.fromisoformat(brief["retryAt"]) if brief["retryAt"] else None
    return brief | {
        "sinceTime": since,
        "sinceText": _ago(since, now),
        "retryTime": retry,
        "retryText": _next_try(retry, now) if retry else "",
        "reconnects": brief["canReconnect"] and brief["step"] == NextAction.RECONNECT,
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


# What the page's script makes new lines from.
_BLANK: dict[str, Any] = dict.fromkeys(
    ("name", "section", "panel", "panelName", "sentence", "detail", "nextStep", "numberText"), ""
)
_BLANK |= {"organization": 0, "mayOperate": True, "reconnects": True}
