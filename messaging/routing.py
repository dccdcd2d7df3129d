"""The WebSocket routes of messaging, which go before those of connections."""

from typing import Any

from django.urls import re_path

from messaging.live import MessagesConsumer

# Typed as Any: the stubs of `re_path` accept only views.
messages_socket: Any = MessagesConsumer.as_asgi()

websocket_urlpatterns = [
    # The digits are limited to those of a column: the id becomes part of a group's name.
    re_path(r"^ws/organizations/(?P<organization_id>[0-9]{1,18})/messages/$", messages_socket),
]
