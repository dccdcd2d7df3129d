"""The events and pairing attempts in Django admin, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Case, F, GenericIPAddressField, QuerySet, When
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from connections.detail_messages import write_times
from connections.lifecycle import Reason
from connections.models import ConnectionEvent, PairingAttempt
from connections.reason_texts import REASON_TEXTS
from organizations import audit_labels
from organizations.access import Caller
from organizations.admin.base import ListAdmin, OrganizationFilter, format_timestamp, two_line_cell
from organizations.models import Organization


class ConnectionFilter(OrganizationFilter):
    path = "connection__organization"


class ReasonFilter(admin.SimpleListFilter):
    """`?reason=`: by sentence; several reasons can have the same one."""

    title = lazy("reason")
    parameter_name = "reason"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        reasons = {REASON_TEXTS[reason].sentence: str(reason) for reason in reversed(Reason)}
        return [(reason, sentence) for sentence, reason in sorted(reasons.items())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if value not in list(Reason):
            return queryset.none()
        english = REASON_TEXTS[Reason(value)].english
        return queryset.filter(
            reason__in=[each for each in Reason if REASON_TEXTS[each].english == english]
        )


@admin.register(ConnectionEvent)
class ConnectionEventAdmin(ListAdmin[ConnectionEvent]):
    """The events. Only callers who manage the organization see the addresses."""

    list_display = ["when", "organization", "what", "state", "who"]
    list_select_related = ["connection__organization"]
    list_filter = [ConnectionFilter, "state", ReasonFilter]
    # Not the address: a search would reveal it.
    search_fields = ["actor", "detail", "connection__organization__folded_name"]
    date_hierarchy = "at"

    def visible(self, caller: Caller) -> QuerySet[ConnectionEvent]:
        events = ConnectionEvent.objects.filter(connection__organization__in=caller.organizations)
        managed = When(connection__organization__in=caller.managed(), then=F("address"))
        origin = Case(managed, default=None, output_field=GenericIPAddressField(null=True))
        return events.annotate(origin=origin)

    @admin.display(
        description=lazy("Organization"), ordering="connection__organization__folded_name"
    )
    def organization(self, event: ConnectionEvent) -> Organization:
        return event.connection.organization

    @admin.display(description=lazy("When"), ordering="at")
    def when(self, event: ConnectionEvent) -> str:
        return format_timestamp(event.at)

    @admin.display(description=lazy("What"), ordering="reason")
    def what(self, event: ConnectionEvent) -> SafeString:
        return two_line_cell(event.sentence, write_times(event.translated_detail))

    @admin.display(description=lazy("Who, from where"), ordering="actor")
    def who(self, event: ConnectionEvent) -> SafeString:
        return two_line_cell(
            audit_labels.translate_actor(event.actor), getattr(event, "origin", None)
        )


@admin.register(PairingAttempt)
class PairingAttemptAdmin(ListAdmin[PairingAttempt]):
    """The attempts to link a phone. Their codes and numbers are not read from the database."""

    list_display = ["begun", "organization", "method", "by", "codes", "ended", "outcome"]
    list_select_related = ["connection__organization"]
    list_filter = [ConnectionFilter, "method", "outcome"]
    search_fields = ["started_by", "connection__organization__folded_name"]
    date_hierarchy = "started_at"

    def visible(self, caller: Caller) -> QuerySet[PairingAttempt]:
        attempts = PairingAttempt.objects.filter(connection__organization__in=caller.organizations)
        return attempts.defer("code", "phone_code", "phone_number")

    @admin.display(
        description=lazy("Organization"), ordering="connection__organization__folded_name"
    )
    def organization(self, attempt: PairingAttempt) -> Organization:
        return attempt.connection.organization

    @admin.display(description=lazy("Begun by"), ordering="started_by")
    def by(self, attempt: PairingAttempt) -> str:
        return audit_labels.translate_actor(attempt.started_by)

    @admin.display(description=lazy("Codes shown"))
    def codes(self, attempt: PairingAttempt) -> str:
        text = _("{number} of {count}")
        return text.format(number=attempt.code_number, count=attempt.code_count)

    @admin.display(description=lazy("Begun"), ordering="started_at")
    def begun(self, attempt: PairingAttempt) -> str:
        return format_timestamp(attempt.started_at)

    @admin.display(description=lazy("Ended"), ordering="ended_at")
    def ended(self, attempt: PairingAttempt) -> str:
        return format_timestamp(attempt.ended_at) or _("Not yet")
