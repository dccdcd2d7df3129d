"""The WebSocket routes."""

from django.urls import path

from connections.consumers import ConnectionConsumer

websocket_urlpatterns = [
    # The stubs know of views only; Channels routes applications by the same `path`.
    path(
        "ws/organizations/<int:organization_id>/connection/",
        ConnectionConsumer.as_asgi(),  # type: ignore[arg-type]
    ),
]
