"""The order of the list: what is in trouble first, as on the fleet page."""

from __future__ import annotations

from django.db.models import Case, DateTimeField, F, Q, QuerySet, SmallIntegerField, Value, When

from connections.display import OF_STATE, OLDEST_FIRST, Section
from connections.lifecycle import State
from connections.models import Connection
from connections.models.conditions import ACTIVE, NEVER_LINKED

TROUBLE_FIRST = ["section_rank", "in_trouble_since", "organization__folded_name", "pk"]
"""By section, the longest trouble first, then by name."""

RANKS = {section: rank for rank, section in enumerate(Section)}


def with_trouble(connections: QuerySet[Connection]) -> QuerySet[Connection]:
    """Annotate what TROUBLE_FIRST needs. `connections` must have their effective state."""
    never_linked = Q(effective_state=State.DISCONNECTED) & NEVER_LINKED
    rank = Case(
        When(~ACTIVE, then=Value(RANKS[Section.DEACTIVATED])),
        When(never_linked, then=Value(RANKS[Section.NEVER_LINKED])),
        *(
            When(effective_state=state, then=Value(RANKS[section]))
            for state, (_panel, section, _status) in OF_STATE.items()
        ),
        output_field=SmallIntegerField(),
    )
    troubled = [state for state, (_, section, _) in OF_STATE.items() if section in OLDEST_FIRST]
    since = Case(
        When(ACTIVE & Q(effective_state__in=troubled), then=F("since")),
        default=None,
        output_field=DateTimeField(),
    )
    return connections.alias(section_rank=rank, in_trouble_since=since)
