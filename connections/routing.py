"""The WebSocket routes."""

from django.urls import path

from connections.consumers import ConnectionConsumer

websocket_urlpatterns = [
    path("ws/organizations/<int:organization_id>/connection/", ConnectionConsumer.as_asgi()),
]
