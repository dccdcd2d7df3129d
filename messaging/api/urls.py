"""The API routes of messages."""

from django.urls import path

import messaging.converters  # noqa: F401
from messaging.api import views_data, views_feed, views_media, views_messages, views_signals

urlpatterns = [
    path("media", views_media.MediaUploadView.as_view(), name="api-media-upload"),
    path("media/<public_id:media_id>", views_media.MediaView.as_view(), name="api-media"),
    path(
        "media/<public_id:media_id>/file",
        views_media.MediaFileView.as_view(),
        name="api-media-file",
    ),
    path("contacts/erase", views_data.EraseContactView.as_view(), name="api-contact-erase"),
    path("export", views_data.ExportView.as_view(), name="api-export"),
    path("feed", views_feed.FeedView.as_view(), name="api-feed"),
    path("messages", views_messages.MessagesView.as_view(), name="api-messages"),
    path("messages/release", views_messages.ReleaseView.as_view(), name="api-messages-release"),
    path("messages/drop", views_messages.DropView.as_view(), name="api-messages-drop"),
    path(
        "messages/<public_id:message_id>", views_messages.MessageView.as_view(), name="api-message"
    ),
    path(
        "messages/<public_id:message_id>/read",
        views_signals.ReadView.as_view(),
        name="api-message-read",
    ),
    path("typing", views_signals.TypingView.as_view(), name="api-typing"),
    path(
        "messages/<public_id:message_id>/resend",
        views_messages.ResendView.as_view(),
        name="api-message-resend",
    ),
]
