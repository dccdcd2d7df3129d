"""All connections that a caller may see, by section and in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connections.api.serializers import panel_of
from connections.display import OLDEST_FIRST, SECTION_NAMES, Section, display_of, panel_name
from connections.lifecycle import PAIRING, Reason
from connections.models import Connection
from connections.phone_silence import PhoneSilence
from connections.status import ConnectionStatus, read_statuses
from organizations.access import PERMISSIONS, Caller, Permission
from organizations.folding import fold
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number

ConnectionSummary = dict[str, Any]
"""The summary of a connection, ready for JSON, without anything that only operators may see."""


def operable_ids(caller: Caller, organizations: Iterable[Organization]) -> set[int]:
    """Return the ids of the organizations that this caller operates."""
    roles = caller.roles(organizations)
    return {pk for pk, role in roles.items() if Permission.OPERATE in PERMISSIONS[role]}


def get_summaries(
    organizations: Iterable[Organization], operable: set[int], administrator: bool = False
) -> dict[int, ConnectionSummary]:
    """Return the summary of each organization's connection, by the organization's id."""
    statuses = read_statuses(organizations)
    return {pk: summarize(status, pk in operable, administrator) for pk, status in statuses.items()}


def summarize(
    status: ConnectionStatus, may_operate: bool, administrator: bool = False
) -> ConnectionSummary:
    """Return the summary of one connection.

    `administrator`: the reader can change the server, and is told what to look at there.
    """
    connection = status.connection
    busy = status.state in PAIRING or connection.disconnecting
    # Without its code, which only the connection's own page shows.
    panel = panel_of(status, may_operate=False)
    display = display_of(status)
    # A connection that nobody has asked for yet exists since somebody looked at it.
    silence = status.phone_silence
    needs_phone = silence is not None and silence.needs_action
    since = None if status.reason == Reason.NEVER_CONNECTED else status.since.isoformat()
    return {
        "organization": connection.pk,
        "name": connection.organization.name,
        "section": display.section,
        "outage": display.outage,
        "state": status.state,
        "reason": status.reason,
        "panel": panel,
        "panelName": panel_name(status, panel),
        "sentence": silence.sentence if silence and needs_phone else status.reason_text.sentence,
        "detail": _detail(status, None if needs_phone else silence),
        "nextStep": status.next_step_for(administrator),
        "step": status.reason_text.step,
        "number": connection.number or None,
        "numberText": format_phone_number(connection.number),
        "since": since,
        "retryAt": connection.retry_at.isoformat() if connection.retry_at else None,
        "mayOperate": may_operate,
        "canReconnect": may_operate and status.can_reconnect and not busy,
    }


def _detail(status: ConnectionStatus, silence: PhoneSilence | None) -> str:
    """Return the detail of a reason, or the warning of a silent phone."""
    if silence is not None and silence.warns:
        return silence.sentence
    return "" if status.overridden else status.connection.translated_detail


class FleetHealth(StrEnum):
    """The health of the fleet, for the page's sentence where nothing needs a person."""

    EMPTY = "empty"  # there is no organization at all
    ACTION = "action"  # something needs a person
    WELL = "well"  # all that are active are connected
    QUIET = "quiet"  # nothing needs a person, yet not all are connected


@dataclass(frozen=True)
class Group:
    """The connections of one section, in the order in which they are shown."""

    section: Section
    rows: list[ConnectionSummary]

    @property
    def title(self) -> str:
        return str(SECTION_NAMES[self.section])


@dataclass(frozen=True)
class Fleet:
    """All connections that a caller may see, by section."""

    groups: list[Group]

    def count(self, section: Section) -> int:
        """Return how many are in a section."""
        return next(len(group.rows) for group in self.groups if group.section == section)

    @property
    def health(self) -> FleetHealth:
        total = sum(len(group.rows) for group in self.groups)
        active = total - self.count(Section.DEACTIVATED)
        if total == 0:
            return FleetHealth.EMPTY
        if self.count(Section.ACTION_NEEDED):
            return FleetHealth.ACTION
        return (
            FleetHealth.WELL if 0 < active == self.count(Section.CONNECTED) else FleetHealth.QUIET
        )


def get_fleet(caller: Caller) -> Fleet:
    """Return the fleet as this caller sees it, in a fixed number of queries."""
    Connection.objects.create_missing(caller.organizations)
    organizations = list(caller.organizations)
    operable = operable_ids(caller, organizations)
    summaries = get_summaries(organizations, operable, caller.is_superuser).values()
    return Fleet([Group(section, _rows(summaries, section)) for section in Section])


def _rows(summaries: Iterable[ConnectionSummary], section: Section) -> list[ConnectionSummary]:
    rows = [summary for summary in summaries if summary["section"] == section]
    rows.sort(key=lambda summary: (fold(summary["name"]), summary["organization"]))
    if section in OLDEST_FIRST:
        rows.sort(key=lambda summary: str(summary["since"]))
    return rows
