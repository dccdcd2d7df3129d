"""Organizations in Django admin, each person seeing only their own."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from organizations import access
from organizations.models import Membership, Organization


class MembershipInline(admin.TabularInline[Membership, Organization]):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Organization)
class OrganizationAdmin(admin.ModelAdmin[Organization]):
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        ordering = self.get_ordering(request)
        return access.visible_organizations(request.user).order_by(*ordering or ("name", "pk"))
