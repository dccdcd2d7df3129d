"""The audit in Django admin: who changed what, from where and when."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from organizations.access import Caller
from organizations.admin.base import ListAdmin, OrganizationFilter, caller_of
from organizations.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ListAdmin[AuditEntry]):
    """For owners, of their organizations, and for superusers. It is only ever read."""

    list_display = ["at", "organization", "action", "detail", "actor", "address"]
    list_select_related = ["organization"]
    list_filter = [OrganizationFilter, "action", "at"]
    search_fields = ["detail", "actor", "organization__name"]
    date_hierarchy = "at"

    class Media:
        css = {"all": ["organizations/admin.css"]}

    def visible(self, caller: Caller) -> QuerySet[AuditEntry]:
        entries = AuditEntry.objects.all()
        if caller.is_superuser:
            return entries
        return entries.filter(organization__in=caller.managed())

    def has_view_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        caller = caller_of(request)
        return request.user.is_staff and (caller.is_superuser or caller.managed().exists())
