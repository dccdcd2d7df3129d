"""The routes of the façade: below `/graph/`, with any version of Meta's API or without one."""

from django.urls import include, path, re_path

import cloud_api.converters  # noqa: F401
import messaging.converters  # noqa: F401
from cloud_api import views_account, views_media, views_messages
from cloud_api.error_views import not_found

routes = [
    path("debug_token", views_account.DebugTokenView.as_view()),
    path("<int:organization_id>", views_account.PhoneNumberView.as_view()),
    path("<int:organization_id>/messages", views_messages.MessagesView.as_view()),
    path("<int:organization_id>/media", views_media.MediaUploadView.as_view()),
    path("<int:organization_id>/phone_numbers", views_account.PhoneNumbersView.as_view()),
    path("<int:organization_id>/message_templates", views_account.MessageTemplatesView.as_view()),
    path("<int:organization_id>/subscribed_apps", views_account.SubscribedAppsView.as_view()),
    path("<public_id:media_id>", views_media.MediaView.as_view()),
]

urlpatterns = [
    path("<graph_version:version>/", include(routes)),
    path("", include(routes)),
    re_path(r"^(?P<rest>(?s:.*))\Z", not_found),
]
