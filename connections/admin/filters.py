"""How the list of connections is narrowed: by what readers see, not by what the rows say."""

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

from connections.display import DISPLAYS, FILTER_NAMES
from connections.lifecycle import Desired, Reason, State
from connections.models import ConnectionEvent
from connections.reason_texts import REASON_TEXTS
from organizations.phone_numbers import spellings

DOWN_HOURS = (1, 4, 24, 72)
MOST_DIGITS = 20
FEWEST_DIGITS = 3
PHONE_CHARACTERS = frozenset("+-–().0123456789/ \u00a0\u202f\u2011")

# --- What the choices stand for -------------------------------------------------------------------


def in_filter(value: str) -> Q:
    """Return the connections that the table shows under one choice of the state's filter."""
    states_of: dict[tuple[Reason, ...], list[State]] = {}
    for state in State:
        reasons = tuple(reason for reason in Reason if value in DISPLAYS[state, reason].filters)
        states_of.setdefault(reasons, []).append(state)
    found = Q(pk__in=())
    for reasons, states in states_of.items():
        found |= Q(told_state__in=states, told_reason__in=reasons)
    return found


def down_since_before(moment: datetime) -> Q:
    """Wanted and not connected, all the time since then.

    A dropped link changes its state again and again, so the history is asked, not the row.
    """
    up = ConnectionEvent.objects.filter(
        connection=OuterRef("pk"),
        at__gt=moment,
        state_before__in=(State.CONNECTED, State.DISCONNECTED),
    )
    known = ConnectionEvent.objects.filter(connection=OuterRef("pk"), at__lte=moment)
    held = Q(state=State.CONNECTED) & (Q(worker=None) | Q(worker__heartbeat_at__gt=moment))
    wanted = Q(desired=Desired.CONNECTED, organization__deactivated_at=None)
    return wanted & ~Q(told_state=State.CONNECTED) & ~held & ~Q(Exists(up)) & Q(Exists(known))


# --- The filters ---------------------------------------------------------------------------------


class ChosenFilter(admin.SimpleListFilter):
    """A filter that is applied even where it offers nothing."""

    def has_output(self) -> bool:
        """Always: Django forgets to apply a filter that has none."""
        return True

    def chosen(self, of: Iterable[object]) -> str | None:
        """What was asked for; what is not offered is nothing, and finds nothing."""
        value = self.value()
        return None if value is None else value if value in map(str, of) else ""


class StateFilter(ChosenFilter):
    """`?state=`: a state as it is told, or one of the groups that the fleet page shows."""

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
    """`?down=`: for how many hours it has been wanted and not connected."""

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
    """`?reason=`: one of those that there are at the moment."""

    title = lazy("reason")
    parameter_name = "reason"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request).order_by()
        there = set(rows.values_list(F("told_reason"), flat=True).distinct())
        if self.value() in list(Reason):
            there.add(self.value())
        found = [
            (str(reason), REASON_TEXTS[reason].sentence) for reason in Reason if reason in there
        ]
        return sorted(found, key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.chosen(Reason)
        return queryset if chosen is None else queryset.filter(told_reason=chosen)


# --- The search ----------------------------------------------------------------------------------


def found_by(text: str) -> Q:
    """Each word in the name, or the digits of a number however people write it."""
    found = Q()
    for word in text.split():
        found &= Q(organization__name__icontains=word)
    digits = "".join(character for character in text if character.isascii() and character.isdigit())
    if set(text) <= PHONE_CHARACTERS and FEWEST_DIGITS <= len(digits) <= MOST_DIGITS:
        # People also write an international number with 00.
        number = digits.removeprefix("00") or digits
        for spelling in (number, *spellings(number)):
            found |= Q(number__contains=spelling)
    return found
