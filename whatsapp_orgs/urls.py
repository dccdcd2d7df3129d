"""The project's addresses."""

import sys

from django.contrib import admin
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy as lazy
from django.views.defaults import bad_request as page_bad_request
from django.views.defaults import server_error as page_server_error
from django.views.generic import RedirectView
from django.views.i18n import set_language

from connections.admin import fleet, owner_link, security
from connections.owner_link.views import owner_view
from whatsapp_orgs import api

admin.site.site_header = "WhatsApp Orgs"
admin.site.site_title = "WhatsApp Orgs"
admin.site.index_title = lazy("Organizations and their WhatsApp connections")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("language/", set_language, name="set_language"),
    # In front of Django's own pages at these two addresses: their names lead here then.
    path("admin/", admin.site.admin_view(fleet.index_view)),
    path("admin/connections/", admin.site.admin_view(fleet.fleet_view), name="fleet"),
    path(
        "admin/connections/connection/<int:organization_id>/owner-link/",
        admin.site.admin_view(owner_link.link_view),
        name="owner_link",
    ),
    path(
        "admin/connections/connection/<int:organization_id>/owner-link/revoke/",
        admin.site.admin_view(owner_link.revoke_view),
        name="owner_link_revoke",
    ),
    path(
        "admin/organizations/organization/<int:organization_id>/security/",
        admin.site.admin_view(security.security_view),
        name="security",
    ),
    path(
        "admin/organizations/organization/<int:organization_id>/security/<int:user_id>/revoke/",
        admin.site.admin_view(security.revoke_view),
        name="security_revoke",
    ),
    path("admin/", admin.site.urls),
    path("link/", owner_view, name="owner"),
    path("api/v1/", include("whatsapp_orgs.api")),
    re_path(r"^api/(?P<rest>(?s:.*))\Z", api.not_found),
]


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request that Django itself refuses, because of its Host header for instance."""
    if request.path.startswith("/api/"):
        return api.bad_request(request)
    return page_bad_request(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    """An error of our own, or a database that is away: JSON for API clients, a page for people."""
    of_the_api = request.path.startswith("/api/")
    # Django calls this while it handles the exception.
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        if of_the_api:
            return api.unavailable(request)
        page = loader.render_to_string("503.html")
        return HttpResponse(page, status=503, headers={"Retry-After": str(api.RETRY_SECONDS)})
    return api.server_error(request) if of_the_api else page_server_error(request)
