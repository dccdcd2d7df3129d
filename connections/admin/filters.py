"""The filters of the list, by the status that readers see."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import (
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
)
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from connections.display import DISPLAYS, FILTER_NAMES, ListFilter
from connections.lifecycle import Desired, Reason, State
from connections.models import ConnectionEvent
from connections.models.conditions import NEVER_LINKED
from connections.phone_silence import needs_action_q
from connections.reason_texts import REASON_TEXTS

DOWN_HOURS = (1, 4, 24, 72)

# --- The conditions -------------------------------------------------------------------------------


def in_filter(value: str) -> Q:
    """Return the connections that the table shows under one choice of the state's filter."""
    if value == ListFilter.ACTION_NEEDED:
        return in_pairs(value) | needs_action_q()
    if value == ListFilter.CONNECTED:
        return in_pairs(value) & ~needs_action_q()
    if value == ListFilter.NEVER_LINKED:
        return in_pairs(ListFilter.DISCONNECTED) & NEVER_LINKED
    if value == ListFilter.DISCONNECTED:
        return in_pairs(value) & ~NEVER_LINKED
    return in_pairs(value)


def in_pairs(value: str) -> Q:
    """Return the connections whose state and reason the table shows under this choice."""
    states_of: dict[tuple[Reason, ...], list[State]] = {}
    for state in State:
        reasons = tuple(reason for reason in Reason if value in DISPLAYS[state, reason].filters)
        states_of.setdefault(reasons, []).append(state)
    matches = Q(pk__in=())
    for reasons, states in states_of.items():
        matches |= Q(effective_state__in=states, effective_reason__in=reasons)
    return matches


def down_since_before(moment: datetime) -> Q:
    """Return the connections that should have been connected since then and never were.

    Reads the history and not the row: a dropped link changes its state again and again.
    """
    was_up = ConnectionEvent.objects.filter(
        connection=OuterRef("pk"),
        at__gt=moment,
        state_before__in=(State.CONNECTED, State.DISCONNECTED),
    )
    existed = ConnectionEvent.objects.filter(connection=OuterRef("pk"), at__lte=moment)
    held = Q(state=State.CONNECTED) & (Q(worker=None) | Q(worker__heartbeat_at__gt=moment))
    desired = Q(desired=Desired.CONNECTED, organization__deactivated_at=None)
    down = ~Q(effective_state=State.CONNECTED) & ~held & ~Q(Exists(was_up))
    return desired & down & Q(Exists(existed))


# --- The filters ---------------------------------------------------------------------------------


class ChosenFilter(admin.SimpleListFilter):
    """A filter that is applied even when it has no choices to show."""

    def has_output(self) -> bool:
        """Return True: Django does not apply a filter without output."""
        return True

    def chosen(self, choices: Iterable[object]) -> str | None:
        """Return the chosen value; None without one; "" if it is not among the choices."""
        value = self.value()
        return None if value is None else value if value in map(str, choices) else ""


class StateFilter(ChosenFilter):
    """`?state=`: a section of the fleet page, or a part of one."""

    title = lazy("state")
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        return [(str(value), str(name)) for value, name in FILTER_NAMES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen(FILTER_NAMES)
        return queryset if chosen is None else queryset.filter(in_filter(chosen))


class DownFilter(ChosenFilter):
    """`?down=`: not connected for that many hours, but should have been."""

    title = lazy("down longer than")
    parameter_name = "down"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        texts = (_("1 hour"), _("4 hours"), _("24 hours"), _("3 days"))
        return [(str(hours), text) for hours, text in zip(DOWN_HOURS, texts, strict=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen(DOWN_HOURS)
        if chosen is None:
            return queryset
        if not chosen:
            return queryset.none()
        return queryset.filter(down_since_before(timezone.now() - timedelta(hours=int(chosen))))


class ReasonFilter(ChosenFilter):
    """`?reason=`: one of the reasons that connections have now."""

    title = lazy("reason")
    parameter_name = "reason"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request).order_by()
        reasons = set(rows.values_list(F("effective_reason"), flat=True).distinct())
        if self.value() in list(Reason):
            reasons.add(self.value())
        choices = [
            (str(reason), REASON_TEXTS[reason].sentence) for reason in Reason if reason in reasons
        ]
        return sorted(choices, key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen(Reason)
        return queryset if chosen is None else queryset.filter(effective_reason=chosen)
