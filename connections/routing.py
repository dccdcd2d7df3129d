"""The WebSocket routes."""

from typing import Any

from django.urls import path, re_path

from connections.live.consumers import ConnectionConsumer, ConnectionsConsumer
from connections.owner_link.consumer import OwnerConsumer, OwnerLinkAuthMiddleware
from organizations.sockets.authentication import not_found

# Typed as Any: the stubs of `path` accept only views, and Channels routes ASGI applications.
connection_socket: Any = ConnectionConsumer.as_asgi()
connections_socket: Any = ConnectionsConsumer.as_asgi()
unknown_socket: Any = not_found
owner_socket: Any = OwnerLinkAuthMiddleware(OwnerConsumer.as_asgi())

# Without the authentication of users and tokens, which all other routes have.
open_urlpatterns = [path("ws/link/", owner_socket)]

websocket_urlpatterns = [
    path("ws/connections/", connections_socket),
    # The digits are limited to those of a column: the id becomes part of a group's name.
    re_path(r"^ws/organizations/(?P<organization_id>[0-9]{1,18})/connection/$", connection_socket),
    re_path(r"", unknown_socket),
]
