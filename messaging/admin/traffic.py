"""The traffic of all organizations: the line on the fleet page, and the lists behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from connections.live.fleet import operable_ids
from messaging.silence import Silence, silent_numbers
from messaging.traffic import Traffic, traffic_by_organization, visible_messages
from organizations.access import Caller
from organizations.admin.base import caller_of
from organizations.folding import fold

MOST_ROWS = 200

SILENT_SHOWN = 10
"""How many silent numbers the fleet page names; the list has them all."""


@dataclass(frozen=True)
class FleetTraffic:
    """The traffic of the organizations that a person sees, together and each.

    `testable`: those of the silent numbers to which the person may send a test message.
    """

    total: Traffic
    by_organization: dict[int, Traffic]
    silent: list[Silence]
    testable: set[int]

    @property
    def silent_shown(self) -> list[Silence]:
        return self.silent[:SILENT_SHOWN]

    def consequence(self, organization_id: int) -> str:
        """Return what waits in an organization, in words, "" for nothing."""
        found = self.by_organization.get(organization_id)
        count = found.unsent if found else 0
        if not count:
            return ""
        return ngettext("{count} message waits", "{count} messages wait", count).format(count=count)

    @property
    def consequences(self) -> dict[int, str]:
        """The consequences by organization, for the page's script."""
        found = {pk: self.consequence(pk) for pk in self.by_organization}
        return {pk: text for pk, text in found.items() if text}


@dataclass(frozen=True)
class TrafficRow:
    """One organization of a list."""

    organization_id: int
    name: str
    traffic: Traffic
    silence: Silence | None


@dataclass(frozen=True)
class TrafficList:
    """A list behind a figure. `order`: the figure. `log`: which messages its links show."""

    title: Promise
    order: Callable[[TrafficRow], int]
    log: str = field(default="")


LISTS = {
    "in": TrafficList(lazy("In today"), lambda row: row.traffic.received, "in"),
    "out": TrafficList(lazy("Out today"), lambda row: row.traffic.sent, "out"),
    "waiting": TrafficList(
        pgettext_lazy("messages", "Waiting"), lambda row: row.traffic.waiting, "waiting"
    ),
    "held": TrafficList(pgettext_lazy("messages", "Held"), lambda row: row.traffic.held, "held"),
    "failed": TrafficList(lazy("Failed today"), lambda row: row.traffic.failed, "failed"),
    "lost": TrafficList(lazy("Lost today"), lambda row: row.traffic.lost, "lost"),
    "silent": TrafficList(
        lazy("Silent numbers"), lambda row: row.silence.usual if row.silence else 0, "in"
    ),
}


def fleet_traffic_of(caller: Caller) -> FleetTraffic:
    """Return the traffic of the organizations that this caller sees, in few queries."""
    by_organization = traffic_by_organization(visible_messages(caller))
    total = Traffic()
    for traffic in by_organization.values():
        total.add(traffic)
    active = {pk for pk, traffic in by_organization.items() if traffic.received}
    silent = silent_numbers(caller.organizations, active)
    return FleetTraffic(total, by_organization, silent, _testable(caller, silent))


def _testable(caller: Caller, silent: list[Silence]) -> set[int]:
    if not silent:
        return set()
    ids = [each.organization_id for each in silent[:SILENT_SHOWN]]
    return operable_ids(caller, caller.organizations.filter(pk__in=ids))


@never_cache
@require_safe
def today_view(request: HttpRequest) -> HttpResponse:
    """GET: the fleet page's line and its silent numbers, which its script takes again and again."""
    context = {"traffic": fleet_traffic_of(caller_of(request))}
    return TemplateResponse(request, "messaging/traffic/today.html", context)


@never_cache
@require_safe
def traffic_view(request: HttpRequest) -> HttpResponse:
    """GET: the organizations behind one figure of the line."""
    caller = caller_of(request)
    show = request.GET.get("show", "")
    show = show if show in LISTS else "in"
    traffic = fleet_traffic_of(caller)
    rows = _rows(caller, traffic, LISTS[show].order)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Messages"),
        "lists": [(name, each.title) for name, each in LISTS.items()],
        "show": show,
        "log": LISTS[show].log,
        "traffic": traffic,
        "rows": rows[:MOST_ROWS],
        "more": max(0, len(rows) - MOST_ROWS),
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, "messaging/traffic/page.html", context)


def _rows(
    caller: Caller, traffic: FleetTraffic, order: Callable[[TrafficRow], int]
) -> list[TrafficRow]:
    """Return the organizations for which a figure is not zero, the greatest first."""
    silences = {found.organization_id: found for found in traffic.silent}
    ids = traffic.by_organization.keys() | silences.keys()
    names = dict(caller.organizations.values_list("pk", "name"))
    found = [
        TrafficRow(pk, names[pk], traffic.by_organization.get(pk, Traffic()), silences.get(pk))
        for pk in ids
        if pk in names
    ]
    shown = [row for row in found if order(row)]
    return sorted(shown, key=lambda row: (-order(row), fold(row.name), row.organization_id))
