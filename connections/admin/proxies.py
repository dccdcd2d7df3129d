"""All proxies of organizations, for administrators."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as lazy

from connections import proxies
from connections.models import Connection, OrganizationProxy
from connections.status import get_status
from organizations.access import Caller
from organizations.admin.base import ListAdmin, caller_of, format_timestamp, is_staff, two_line_cell


@admin.register(OrganizationProxy)
class OrganizationProxyAdmin(ListAdmin[OrganizationProxy]):
    """The proxies, for superusers only. Each is changed on its organization's own page."""

    list_display = ["organization_link", "name", "where", "connection_state", "tried"]
    list_select_related = ["organization__connection__worker"]
    search_fields = ["organization__folded_name", "name", "host"]
    ordering = ["organization__folded_name", "pk"]

    def visible(self, caller: Caller) -> QuerySet[OrganizationProxy]:
        shown = caller.is_superuser
        return OrganizationProxy.objects.all() if shown else OrganizationProxy.objects.none()

    def has_view_permission(
        self, request: HttpRequest, obj: OrganizationProxy | None = None
    ) -> bool:
        return is_staff(request) and caller_of(request).is_superuser

    @admin.display(description=lazy("Organization"), ordering="organization__folded_name")
    def organization_link(self, proxy: OrganizationProxy) -> SafeString:
        page = reverse("proxy", args=[proxy.pk])
        return format_html('<a href="{}">{}</a>', page, proxy.organization.name)

    @admin.display(description=lazy("Address"), ordering="host")
    def where(self, proxy: OrganizationProxy) -> SafeString:
        return two_line_cell(proxy.host, f"{proxy.get_scheme_display()} · {proxy.port}")

    @admin.display(description=lazy("State"))
    def connection_state(self, proxy: OrganizationProxy) -> str:
        connection: Connection | None = getattr(proxy.organization, "connection", None)
        return get_status(connection).reason_text.sentence if connection else "–"

    @admin.display(description=lazy("Last try"), ordering="tried_at")
    def tried(self, proxy: OrganizationProxy) -> SafeString:
        found = proxies.last_try(proxy)
        return two_line_cell(format_timestamp(proxy.tried_at), found["sentence"] if found else "")
