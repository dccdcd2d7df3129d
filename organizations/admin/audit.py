"""The audit log in Django admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as lazy

from organizations import audit_labels
from organizations.access import Caller
from organizations.admin.base import (
    ListAdmin,
    OrganizationFilter,
    caller_of,
    format_timestamp,
    two_line_cell,
)
from organizations.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ListAdmin[AuditEntry]):
    """The read-only audit log, for superusers and for owners of their organizations."""

    list_display = ["when", "organization", "action", "changed", "who"]
    list_select_related = ["organization"]
    list_filter = [OrganizationFilter, "action"]
    search_fields = ["detail", "actor", "organization__folded_name"]
    date_hierarchy = "at"

    def visible(self, caller: Caller) -> QuerySet[AuditEntry]:
        entries = AuditEntry.objects.all()
        if caller.is_superuser:
            return entries
        return entries.filter(organization__in=caller.managed())

    @admin.display(description=lazy("When"), ordering="at")
    def when(self, entry: AuditEntry) -> str:
        return format_timestamp(entry.at)

    @admin.display(description=lazy("Detail"), ordering="detail")
    def changed(self, entry: AuditEntry) -> str:
        return audit_labels.translate_detail(entry)

    @admin.display(description=lazy("Who, from where"), ordering="actor")
    def who(self, entry: AuditEntry) -> SafeString:
        return two_line_cell(audit_labels.translate_actor(entry.actor), entry.address)

    def has_view_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        caller = caller_of(request)
        return request.user.is_staff and (caller.is_superuser or caller.managed().exists())
