"""Organizations in Django admin, each person seeing only their own."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from organizations.access import person
from organizations.models import Membership, Organization


class MembershipInline(admin.TabularInline[Membership, Organization]):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Organization)
class OrganizationAdmin(admin.ModelAdmin[Organization]):
    """Members see their organizations without a permission of Django's; changing one needs it."""

    list_display = ["name", "created_at", "connection_link"]
    search_fields = ["name"]
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        ordering = self.get_ordering(request)
        return person(request.user).organizations.order_by(*ordering or ("name", "pk"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Organization | None = None) -> bool:
        return request.user.is_active and request.user.is_staff

    @admin.display(description="Connection")
    def connection_link(self, organization: Organization) -> SafeString:
        # By the page's name: this app knows nothing of connections.
        page = reverse("admin:connections_connection_change", args=[organization.pk])
        return format_html('<a href="{}">Connection</a>', page)
