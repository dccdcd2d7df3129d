"""The routes below an organization's connection page, and those about all organizations."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

import messaging.converters  # noqa: F401
from messaging.admin import (
    decisions,
    erasure,
    message,
    messages,
    newcomers,
    settings,
    simulated_phone,
    traffic,
)


def _path(
    route: str, view: Callable[..., HttpResponseBase], url_name: str, **fixed: str
) -> URLPattern:
    """Return a route of the admin site."""
    return path(route, admin.site.admin_view(view), fixed, name=url_name)


organization_urlpatterns = [
    _path("messages/", messages.messages_view, "messages"),
    _path("messages/send/", messages.send_view, "messages_send"),
    _path("messages/open/", messages.open_view, "messages_open"),
    _path("messages/customer/", simulated_phone.phone_view, "messages_customer"),
    *(
        _path(f"messages/{name}/", decisions.decision_view, f"messages_{name}", name=name)
        for name in decisions.DECISIONS
    ),
    _path("messages/<public_id:message_id>/", message.message_view, "message"),
    _path("messages/<public_id:message_id>/file/", message.file_view, "message_file"),
    _path("messages/<public_id:message_id>/again/", message.again_view, "message_again"),
    _path("messages/<public_id:message_id>/discard/", message.discard_view, "message_discard"),
    _path("settings/", settings.settings_view, "message_settings"),
    _path("settings/sending/", settings.sending_view, "message_sending"),
    _path("settings/erase/", erasure.erase_all_view, "messages_erase"),
    _path("settings/export/", erasure.export_view, "messages_export"),
    _path("settings/person/", erasure.person_view, "person_find"),
    _path("settings/person/<int:contact_id>/", erasure.erase_person_view, "person_erase"),
]

fleet_urlpatterns = [
    _path("", traffic.traffic_view, "traffic"),
    _path("today/", traffic.today_view, "traffic_today"),
    _path("newcomer/put-away/", newcomers.put_away_view, "newcomer_put_away"),
]
