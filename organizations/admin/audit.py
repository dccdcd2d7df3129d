"""The audit in Django admin: who changed what, from where and when."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as lazy

from organizations import audit_labels
from organizations.access import Caller
from organizations.admin.base import ListAdmin, OrganizationFilter, caller_of, stamp, two_lines
from organizations.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ListAdmin[AuditEntry]):
    """For owners, of their organizations, and for superusers. It is only ever read."""

    list_display = ["when", "organization", "action", "changed", "who"]
    list_select_related = ["organization"]
    list_filter = [OrganizationFilter, "action"]
    search_fields = ["detail", "actor", "organization__name"]
    date_hierarchy = "at"

    def visible(self, caller: Caller) -> QuerySet[AuditEntry]:
        entries = AuditEntry.objects.all()
        if caller.is_superuser:
            return entries
        return entries.filter(organization__in=caller.managed())

    @admin.display(description=lazy("When"), ordering="at")
    def when(self, entry: AuditEntry) -> str:
        return stamp(entry.at)

    @admin.display(description=lazy("Detail"), ordering="detail")
    def changed(self, entry: AuditEntry) -> str:
        return audit_labels.detail(entry)

    @admin.display(description=lazy("Who, from where"), ordering="actor")
    def who(self, entry: AuditEntry) -> SafeString:
        return two_lines(audit_labels.actor(entry.actor), entry.address)

    def has_view_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        caller = caller_of(request)
        return request.user.is_staff and (caller.is_superuser or caller.managed().exists())
