"""What happened to the connections, in Django admin. It is only ever read."""

from django.contrib import admin
from django.db.models import Case, F, GenericIPAddressField, QuerySet, When

from connections.lifecycle import Observation
from connections.models import ConnectionEvent, PairingAttempt
from organizations.access import Caller
from organizations.admin.base import ListAdmin, OrganizationFilter
from organizations.models import Organization


class ConnectionFilter(OrganizationFilter):
    path = "connection__organization"


@admin.register(ConnectionEvent)
class ConnectionEventAdmin(ListAdmin[ConnectionEvent]):
    """Who asked for what and what came of it. From where is for those who manage it only."""

    list_display = ["at", "organization", "event", "state", "sentence", "detail", "actor", "origin"]
    list_select_related = ["connection__organization"]
    list_filter = [ConnectionFilter, "state", "reason", "at"]
    # Not the address: finding would tell it.
    search_fields = ["actor", "detail", "connection__organization__name"]
    date_hierarchy = "at"

    class Media:
        css = {"all": ["organizations/admin.css"]}

    def visible(self, caller: Caller) -> QuerySet[ConnectionEvent]:
        events = ConnectionEvent.objects.filter(connection__organization__in=caller.organizations)
        managed = When(connection__organization__in=caller.managed(), then=F("address"))
        origin = Case(managed, default=None, output_field=GenericIPAddressField(null=True))
        return events.annotate(origin=origin)

    @admin.display(description="Organization", ordering="connection__organization__name")
    def organization(self, event: ConnectionEvent) -> Organization:
        return event.connection.organization

    @admin.display(description="Event", ordering="observation")
    def event(self, event: ConnectionEvent) -> str:
        return Observation(event.observation).replace("_", " ").capitalize()

    @admin.display(description="What people read")
    def sentence(self, event: ConnectionEvent) -> str:
        return event.sentence

    @admin.display(description="Address")
    def origin(self, event: ConnectionEvent) -> str | None:
        return getattr(event, "origin", None)


@admin.register(PairingAttempt)
class PairingAttemptAdmin(ListAdmin[PairingAttempt]):
    """Each try to link a phone. Its codes and numbers are not even read from the database."""

    list_display = [
        "begun_at",
        "organization",
        "method",
        "begun_by",
        "codes",
        "first_code_at",
        "ended_at",
        "outcome",
    ]
    list_select_related = ["connection__organization"]
    list_filter = [ConnectionFilter, "method", "outcome", "begun_at"]
    search_fields = ["begun_by", "connection__organization__name"]
    date_hierarchy = "begun_at"

    def visible(self, caller: Caller) -> QuerySet[PairingAttempt]:
        attempts = PairingAttempt.objects.filter(connection__organization__in=caller.organizations)
        return attempts.defer("code", "phone_code", "phone_number")

    @admin.display(description="Organization", ordering="connection__organization__name")
    def organization(self, attempt: PairingAttempt) -> Organization:
        return attempt.connection.organization

    @admin.display(description="Codes shown")
    def codes(self, attempt: PairingAttempt) -> str:
        return f"{attempt.code_number} of {attempt.code_count}"
