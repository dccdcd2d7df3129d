"""The troubles that are planned, the tellings of them so far, and when to plan them again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import F, Q, QuerySet

from connections.display import OUTAGE_REASONS
from connections.lifecycle import PAIRING, State
from connections.models import Connection
from connections.status import with_effective_state
from notices.actions.troubles import CONNECTION, find_open
from notices.models import Address, Telling, Trouble
from notices.models.troubles import Thing

Level = Trouble.Level

GROUP_WAIT = timedelta(minutes=1)
"""A recipient of grouped notices waits so long for further organizations in trouble."""


@dataclass
class PlanningState:
    """The troubles to plan, and the tellings of them so far."""

    now: datetime
    rows: Iterable[Trouble]
    next_plan_at: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open = [row for row in self.rows if row.ended_at is None]
        self.ended = [row for row in self.rows if row.ended_at is not None]
        self._tellings: defaultdict[int, dict[int, Telling]] = defaultdict(dict)
        tellings = Telling.objects.filter(trouble__in=[row.pk for row in self.rows])
        for telling in tellings.select_related("notice", "earlier"):
            self._tellings[telling.address_id][telling.trouble_id] = telling
        self._read_connections()

    def _read_connections(self) -> None:
        """Read what connections are now: a person may link a phone, or all workers be gone."""
        ids = [row.organization_id for row in self.rows if row.kind == CONNECTION]
        found = with_effective_state(Connection.objects.filter(pk__in=ids))
        self._states = {
            pk: (state, reason)
            for pk, state, reason in found.values_list(
                "pk", F("effective_state"), F("effective_reason")
            )
        }

    @cached_property
    def waiting_connections(self) -> QuerySet[Connection, Any]:
        """The connections that wait for the end of an outage."""
        found = with_effective_state(Connection.objects.all())
        return found.filter(Q(effective_reason__in=OUTAGE_REASONS)).values("pk")

    @cached_property
    def reopened(self) -> dict[Thing, Trouble]:
        """The open troubles of the organizations whose troubles are over, by what is in trouble."""
        ended = {row.pk for row in self.ended}
        open_ = find_open({row.organization_id for row in self.ended})
        return {thing: row for thing, row in open_.items() if row.pk not in ended}

    def tellings_of(self, address: Address) -> dict[int, Telling]:
        """Return the tellings to an address, by trouble."""
        return self._tellings[address.pk]

    def is_due(self, trouble: Trouble) -> bool:
        """Return whether notices of an open trouble may be created now."""
        if trouble.due_at > self.now:
            return False
        if self._state(trouble)[0] in PAIRING:
            self.plan_again(trouble, self.now + GROUP_WAIT)
            return False
        return True

    def works_now(self, trouble: Trouble) -> bool:
        """Return whether what was in trouble works now.

        A person may have disconnected it since, or its worker be gone for a moment.
        """
        state = self._state(trouble)[0]
        if state == State.RECONNECTING:
            self.plan_again(trouble, self.now + GROUP_WAIT)
        return trouble.kind != CONNECTION or state == State.CONNECTED

    def cause_of(self, trouble: Trouble) -> str:
        """Return the outage for whose end a connection waits, "" for none."""
        reason = self._state(trouble)[1]
        waits = trouble.kind == CONNECTION and trouble.level == Level.WAITS
        return reason if waits and reason in OUTAGE_REASONS else ""

    def _state(self, trouble: Trouble) -> tuple[str, str]:
        if trouble.kind != CONNECTION or trouble.organization_id is None:
            return "", ""
        return self._states.get(trouble.organization_id, ("", ""))

    def plan_again(self, trouble: Trouble, at: datetime) -> None:
        """Plan a trouble again at a time, or earlier."""
        known = self.next_plan_at.get(trouble.pk)
        self.next_plan_at[trouble.pk] = min(known, at) if known else at
