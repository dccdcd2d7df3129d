"""How each pair of state and reason is shown: panel, section, filters, and the API's old status.

`DISPLAYS` is the one table; the live page, the fleet page, the list's filters, the metrics and
`GET status` read it. The texts of a reason are in `reason_texts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import gettext_noop as _

from connections.lifecycle import Reason, State
from connections.reason_texts import HELD, REASON_TEXTS, NextAction
from connections.status import REASON_WITHOUT_WORKER, ConnectionStatus


class Panel(StrEnum):
    """The large panel of the live page. The value is also its name in the page's CSS."""

    DISCONNECTED = "disconnected"
    RESUMING = "resuming"
    PREPARING = "preparing"
    CODE = "code"
    PHONE_CODE = "phone_code"  # a code to type on the phone
    HIDDEN = "hidden"  # there is a code, and this person may not see it
    FINISHING = "finishing"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    RETRYING = (
        "retrying"  # WhatsApp gives no code yet: it cannot be reached, or answers with an error
    )
    DISCONNECTING = "disconnecting"
    ACTION_NEEDED = "action_needed"
    OFFLINE = "offline"
    FULL = "full"  # no worker has room for it


PANEL_NAMES = {
    Panel.DISCONNECTED: _("Disconnected"),
    Panel.RESUMING: _("Connecting"),
    Panel.PREPARING: _("Preparing the code"),
    Panel.CODE: _("Waiting for the phone"),
    Panel.PHONE_CODE: _("Waiting for the phone"),
    Panel.HIDDEN: _("Waiting for the phone"),
    Panel.FINISHING: _("Finishing"),
    Panel.CONNECTED: _("Connected"),
    Panel.RECONNECTING: _("Reconnecting"),
    Panel.RETRYING: _("Trying again"),
    Panel.DISCONNECTING: _("Disconnecting"),
    Panel.ACTION_NEEDED: _("Needs action"),
    Panel.OFFLINE: _("Service offline"),
    Panel.FULL: _("Service full"),
}


class Section(StrEnum):
    """The sections of the fleet page, the most urgent first."""

    ACTION_NEEDED = "action_needed"
    RECONNECTING = "reconnecting"
    LINKING = "linking"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    NEVER_LINKED = "never_linked"
    DEACTIVATED = "deactivated"


OLDEST_FIRST = (Section.ACTION_NEEDED, Section.RECONNECTING, Section.LINKING)
"""Sections that show the longest trouble first; the others are sorted by name."""

SECTION_NAMES = {
    Section.ACTION_NEEDED: pgettext_lazy("of organizations", "Needs action"),
    Section.RECONNECTING: pgettext_lazy("of organizations", "Reconnecting"),
    Section.LINKING: pgettext_lazy("of organizations", "Linking"),
    Section.CONNECTED: pgettext_lazy("of organizations", "Connected"),
    Section.DISCONNECTED: pgettext_lazy("of organizations", "Disconnected"),
    Section.NEVER_LINKED: pgettext_lazy("of organizations", "Never linked"),
    Section.DEACTIVATED: pgettext_lazy("of organizations", "Deactivated"),
}


class ListFilter(StrEnum):
    """`?state=` of the list in admin: the fleet page's sections, and parts of them."""

    ACTION_NEEDED = "action_needed"
    RECONNECTING = "reconnecting"
    LINKING = "connecting"
    AWAITING_SCAN = "awaiting_scan"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    NEVER_LINKED = "never_linked"
    DEACTIVATED = "deactivated"
    OFFLINE = "offline"


FILTER_NAMES = {
    ListFilter.ACTION_NEEDED: lazy("Needs action"),
    ListFilter.RECONNECTING: lazy("Reconnecting"),
    ListFilter.LINKING: lazy("Linking"),
    ListFilter.AWAITING_SCAN: lazy("Linking: waiting for the phone"),
    ListFilter.CONNECTED: lazy("Connected"),
    ListFilter.DISCONNECTED: lazy("Disconnected"),
    ListFilter.NEVER_LINKED: lazy("Never linked"),
    ListFilter.DEACTIVATED: lazy("Deactivated"),
    ListFilter.OFFLINE: lazy("Service offline"),
}
FILTER_OF_SECTION = {section: ListFilter[section.name] for section in Section}


DISCONNECTED_NAMES = {
    Section.NEVER_LINKED: _("Never linked"),
    Section.DEACTIVATED: _("Deactivated"),
}
"""The names of the panel `disconnected` in the sections that say more."""


@dataclass(frozen=True)
class Display:
    """How a state with a reason is shown.

    `panel`: before the code and the reader's rights are considered (serializers.panel_of).
    `api_status`: one of the old service's three values. `outage`: it waits for the server or
    WhatsApp, as others do, and nobody can do anything about this organization.
    """

    panel: Panel
    section: Section
    api_status: str
    filters: frozenset[ListFilter]
    outage: bool


OF_STATE: dict[State, tuple[Panel, Section, str]] = {
    State.CONNECTED: (Panel.CONNECTED, Section.CONNECTED, "connected"),
    State.CONNECTING: (Panel.PREPARING, Section.LINKING, "connecting"),
    State.AWAITING_SCAN: (Panel.CODE, Section.LINKING, "connecting"),
    State.RECONNECTING: (Panel.RECONNECTING, Section.RECONNECTING, "connecting"),
    State.DISCONNECTED: (Panel.DISCONNECTED, Section.DISCONNECTED, "disconnected"),
    State.ACTION_NEEDED: (Panel.ACTION_NEEDED, Section.ACTION_NEEDED, "disconnected"),
}
"""How a state is shown unless its reason is shown differently."""

OWN_PANELS: dict[tuple[State, Reason], Panel] = {
    **{(state, Reason.WORKER_OFFLINE): Panel.OFFLINE for state in State},
    **{(state, Reason.NO_ROOM): Panel.FULL for state in State},
    (State.CONNECTING, Reason.FINISHING): Panel.FINISHING,
    (State.CONNECTING, Reason.UNREACHABLE): Panel.RETRYING,
    (State.CONNECTING, Reason.UNAVAILABLE): Panel.RETRYING,
    (State.CONNECTING, Reason.PROXY_UNREACHABLE): Panel.RETRYING,
}


OUTAGE_REASONS = frozenset(
    reason for reason, text in REASON_TEXTS.items() if text.step == NextAction.CHECK_SERVER
) - {Reason.ORGANIZATION_INACTIVE} | {Reason.UNAVAILABLE}
"""What the server or WhatsApp suffers; the connections come back by themselves afterwards."""


def _display(state: State, reason: Reason) -> Display:
    panel, section, api_status = OF_STATE[state]
    if (state, reason) == (State.DISCONNECTED, Reason.ORGANIZATION_INACTIVE):
        section = Section.DEACTIVATED
    filters = {FILTER_OF_SECTION[section]}
    if section == Section.LINKING and state == State.AWAITING_SCAN:
        filters.add(ListFilter.AWAITING_SCAN)
    if reason in REASON_WITHOUT_WORKER.values():
        filters.add(ListFilter.OFFLINE)
    return Display(
        OWN_PANELS.get((state, reason), panel),
        section,
        "disconnected" if reason in HELD else api_status,
        frozenset(filters),
        outage=reason in OUTAGE_REASONS and state != State.ACTION_NEEDED,
    )


DISPLAYS = {(state, reason): _display(state, reason) for state in State for reason in Reason}


def display_of(status: ConnectionStatus) -> Display:
    """Return how a connection is shown."""
    display = DISPLAYS[status.state, status.reason]
    silence = status.phone_silence
    if silence is not None and silence.needs_action:
        filters = display.filters - {ListFilter.CONNECTED} | {ListFilter.ACTION_NEEDED}
        return replace(display, section=Section.ACTION_NEEDED, filters=filters)
    if display.section != Section.DISCONNECTED or not status.never_linked:
        return display
    filters = display.filters - {ListFilter.DISCONNECTED} | {ListFilter.NEVER_LINKED}
    return replace(display, section=Section.NEVER_LINKED, filters=filters)


def panel_name(status: ConnectionStatus, panel: Panel) -> str:
    """Return the name of the state that the pages show, in the active language."""
    name = PANEL_NAMES[panel]
    if panel == Panel.DISCONNECTED:
        name = DISCONNECTED_NAMES.get(display_of(status).section, name)
    return gettext(name)
