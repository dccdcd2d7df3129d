"""The project's URLconf and error handlers."""

import sys
from typing import Protocol

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy as lazy
from django.views.defaults import bad_request as page_bad_request
from django.views.defaults import server_error as page_server_error
from django.views.generic import RedirectView
from django.views.i18n import set_language

from cloud_api import error_views as graph_errors
from connections.admin import bulk_links, fleet, owner_link, proxy, search, security
from connections.database_outages import DATABASE_UNAVAILABLE, drop_connection, is_read_only
from connections.owner_link.views import owner_view
from messaging.admin.urls import fleet_urlpatterns, organization_urlpatterns
from messaging.api.views_media import signed_file
from notices.admin import urls as notices
from organizations.colleagues.accept import accept_view
from organizations.colleagues.views import again_view, colleagues_view, revoke_view
from removal.admin.urls import installation_urlpatterns as removals
from removal.admin.urls import organization_urlpatterns as organization_removal
from webhooks.admin.urls import installation_urlpatterns as webhook_urlpatterns
from webhooks.admin.urls import organization_urlpatterns as organization_webhooks
from whatsapp_orgs import api, static_views

admin.site.site_header = "WhatsApp Orgs"
admin.site.site_title = "WhatsApp Orgs"
admin.site.index_title = lazy("Organizations and their WhatsApp connections")

urlpatterns = [
    # First: software asks far more often than people, and Django tries the routes in turn.
    path("api/v1/", include("whatsapp_orgs.api")),
    re_path(r"^api/(?P<rest>(?s:.*))\Z", api.not_found),
    path("graph/", include("cloud_api.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("language/", set_language, name="set_language"),
    # Before admin.site.urls, so that they replace Django's pages at these two paths.
    path("admin/", admin.site.admin_view(fleet.fleet_view)),
    path("admin/connections/", admin.site.admin_view(fleet.fleet_view), name="fleet"),
    path("admin/search/", admin.site.admin_view(search.search_view), name="search"),
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
        "admin/connections/connection/owner-links/",
        admin.site.admin_view(bulk_links.links_view),
        name="owner_links",
    ),
    path("admin/connections/connection/<int:organization_id>/", include(organization_urlpatterns)),
    path("admin/connections/connection/<int:organization_id>/", include(organization_webhooks)),
    path("admin/connections/connection/<int:organization_id>/", include(organization_removal)),
    path("admin/removals/", include(removals)),
    path(
        "admin/connections/connection/<int:organization_id>/",
        include(notices.organization_urlpatterns),
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
    path(
        "admin/organizations/organization/<int:organization_id>/proxy/",
        admin.site.admin_view(proxy.proxy_view),
        name="proxy",
    ),
    path(
        "admin/organizations/organization/<int:organization_id>/proxy/try/",
        admin.site.admin_view(proxy.try_view),
        name="proxy_try",
    ),
    path(
        "admin/organizations/organization/<int:organization_id>/proxy/remove/",
        admin.site.admin_view(proxy.remove_view),
        name="proxy_remove",
    ),
    path("admin/colleagues/", admin.site.admin_view(colleagues_view), name="colleagues"),
    path(
        "admin/colleagues/<int:colleague_id>/again/",
        admin.site.admin_view(again_view),
        name="colleague_again",
    ),
    path(
        "admin/colleagues/<int:colleague_id>/revoke/",
        admin.site.admin_view(revoke_view),
        name="colleague_revoke",
    ),
    path("admin/messages/", include(fleet_urlpatterns)),
    path("admin/webhooks/", include(webhook_urlpatterns)),
    path("admin/notices/", include(notices.installation_urlpatterns)),
    path("notices/", include(notices.open_urlpatterns)),
    path("admin/", admin.site.urls),
    path("link/", owner_view, name="owner"),
    path("invitation/", accept_view, name="invitation"),
    path("static/<path:static_file>", static_views.other_version),
    path("media/<str:signed>", signed_file, name="media-file"),
]


class JsonErrors(Protocol):
    """The errors of an API, which Django calls for where no view is asked."""

    def bad_request(self, request: HttpRequest) -> HttpResponse: ...
    def unavailable(self, request: HttpRequest) -> HttpResponse: ...
    def server_error(self, request: HttpRequest) -> HttpResponse: ...


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 400 for a request that Django refuses, because of its Host header for instance."""
    errors = _json_errors(request)
    return errors.bad_request(request) if errors else page_bad_request(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    """Return 500 for a bug, 503 for an unavailable database: as JSON to software, else a page."""
    errors = _json_errors(request)
    # Django calls this within its except block.
    error = sys.exception()
    if is_read_only(error):
        drop_connection()
    if isinstance(error, DATABASE_UNAVAILABLE) or is_read_only(error):
        if errors:
            return errors.unavailable(request)
        page = loader.render_to_string("503.html")
        return HttpResponse(page, status=503, headers={"Retry-After": str(api.RETRY_SECONDS)})
    return errors.server_error(request) if errors else page_server_error(request)


def _json_errors(request: HttpRequest) -> JsonErrors | None:
    """Return the errors of the API that a path belongs to, None for a page."""
    if request.path.startswith("/api/"):
        return api
    return graph_errors if request.path.startswith(graph_errors.PREFIX) else None
