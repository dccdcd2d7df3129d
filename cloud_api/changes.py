"""Edits, deletions and reactions: they have no id of their own here, and Meta's have one."""

from __future__ import annotations

import re
from typing import Any

from cloud_api.identifiers import public_id_of
from events.models import Event, EventType

TYPES = (
    EventType.MESSAGE_EDITED,
    EventType.MESSAGE_DELETED,
    EventType.REACTION_ADDED,
    EventType.REACTION_REMOVED,
)
# The organization, and the sequence of the event.
CHANGE_ID = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")


def change_id(event: Event) -> str:
    """Return the id of an edit, a deletion or a reaction, as `public_id_of` returns it."""
    return f"{event.organization_id}.{event.sequence}"


def change_named(organization_id: int, named: Any) -> Event | None:
    """Return the organization's edit, deletion or reaction with an id, if it names one."""
    found = CHANGE_ID.fullmatch(named) if isinstance(named, str) else None
    if found is None or int(found[1]) != organization_id:
        return None
    events = Event.objects.filter(organization=organization_id, type__in=TYPES)
    return events.filter(sequence=int(found[2])).first()


def target_of(organization_id: int, message_id: Any) -> Any:
    """Return our id for one that the façade has told: of a change, that of its message."""
    named = public_id_of(message_id)
    change = change_named(organization_id, named)
    return named if change is None else change.data.get("id") or named
