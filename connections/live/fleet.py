"""All connections that one may see, as a fleet: which need a person, how many are how, in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext

from connections.api.serializers import panel_of
from connections.display import PANEL_NAMES, SECTION_NAMES, Section, display_of
from connections.lifecycle import PAIRING
from connections.models import Connection, Worker, Workforce
from connections.status import ConnectionStatus, status_of_row
from organizations.access import PERMISSIONS, Caller, Permission
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number

Brief = dict[str, Any]
"""One line about a connection, without anything that only operators may see."""


# Where the newest news is what matters; the others are looked up by name.
_NEWEST_FIRST = (Section.ACTION_NEEDED, Section.RECONNECTING, Section.LINKING)


def operated(caller: Caller, organizations: Iterable[Organization]) -> set[int]:
    """The ids of those of these organizations that this caller operates."""
    roles = caller.roles(organizations)
    return {pk for pk, role in roles.items() if Permission.OPERATE in PERMISSIONS[role]}


def briefs(organizations: Iterable[Organization], operable: set[int]) -> dict[int, Brief]:
    """Each organization's connection in short, by the organization's id."""
    wanted = {organization.pk: organization for organization in organizations}
    if not wanted:
        return {}
    rows = Connection.objects.filter(pk__in=wanted).select_related("worker")
    found = {connection.pk: connection for connection in rows}
    workforce = Worker.workforce()
    absent = workforce == Workforce.ABSENT
    last_worker = Worker.objects.order_by("-heartbeat_at").first() if absent else None
    told = {}
    for number, organization in wanted.items():
        # Made on first sight: an organization that was never connected is disconnected.
        connection = found.get(number) or Connection.objects.of(organization)
        connection.organization = organization
        observed = status_of_row(connection, workforce)
        # Read once for all: since when no one looks after it is told from a last sign of life.
        connection.worker = connection.worker or last_worker
        told[number] = brief_of(observed, number in operable)
    return told


def brief_of(observed: ConnectionStatus, may_operate: bool) -> Brief:
    """One line about a connection."""
    connection = observed.connection
    busy = observed.state in PAIRING or connection.disconnecting
    # Without the code: what is shown large on the connection's own page is not in a list.
    panel = panel_of(observed, may_operate=False)
    return {
        "organization": connection.pk,
        "name": connection.organization.name,
        "section": display_of(observed).section,
        "state": observed.state,
        "reason": observed.reason,
        "panel": panel,
        "panelName": gettext(PANEL_NAMES[panel]),
        "sentence": observed.reason_text.sentence,
        "detail": "" if observed.overridden else connection.translated_detail,
        "nextStep": observed.reason_text.next_step,
        "step": observed.reason_text.step,
        "number": connection.number or None,
        "numberText": format_phone_number(connection.number),
        "since": observed.since.isoformat(),
        "retryAt": connection.retry_at.isoformat() if connection.retry_at else None,
        "mayOperate": may_operate,
        "canReconnect": may_operate and observed.may_reconnect and not busy,
    }


class FleetHealth(StrEnum):
    """The fleet in a word, for what the page says where nothing needs a person."""

    EMPTY = "empty"  # there is no organization at all
    ACTION = "action"  # something needs a person
    WELL = "well"  # all that are active are connected
    QUIET = "quiet"  # nothing needs a person, yet not all are connected


@dataclass(frozen=True)
class Group:
    """The connections of one section, in the order in which they are shown."""

    section: Section
    rows: list[Brief]

    @property
    def title(self) -> str:
        return str(SECTION_NAMES[self.section])


@dataclass(frozen=True)
class Fleet:
    """All of them, by section."""

    groups: list[Group]

    def count(self, section: Section) -> int:
        """How many are in a section."""
        return next(len(group.rows) for group in self.groups if group.section == section)

    @property
    def mood(self) -> FleetHealth:
        total = sum(len(group.rows) for group in self.groups)
        active = total - self.count(Section.DEACTIVATED)
        if total == 0:
            return FleetHealth.EMPTY
        if self.count(Section.ACTION_NEEDED):
            return FleetHealth.ACTION
        return (
            FleetHealth.WELL if 0 < active == self.count(Section.CONNECTED) else FleetHealth.QUIET
        )


def fleet_of(caller: Caller) -> Fleet:
    """The fleet as this caller sees it, in a fixed number of queries."""
    Connection.objects.complete(caller.organizations)
    organizations = list(caller.organizations)
    told = briefs(organizations, operated(caller, organizations)).values()
    return Fleet([Group(section, _ordered(told, section)) for section in Section])


def _ordered(told: Iterable[Brief], section: Section) -> list[Brief]:
    rows = [brief for brief in told if brief["section"] == section]
    rows.sort(key=lambda brief: (brief["name"].lower(), brief["organization"]))
    if section in _NEWEST_FIRST:
        rows.sort(key=lambda brief: str(brief["since"]), reverse=True)
    return rows
