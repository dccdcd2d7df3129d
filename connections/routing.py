"""The WebSocket routes."""

from typing import Any

from django.urls import path, re_path

from connections.consumers import ConnectionConsumer, ConnectionsConsumer
from organizations.websockets import not_found

# The stubs know of views only; Channels routes applications by the same `path`.
one: Any = ConnectionConsumer.as_asgi()
every: Any = ConnectionsConsumer.as_asgi()
nothing: Any = not_found

websocket_urlpatterns = [
    path("ws/connections/", every),
    path("ws/organizations/<int:organization_id>/connection/", one),
    re_path(r"", nothing),
]
