"""The WebSocket routes."""

from typing import Any

from django.urls import path, re_path

from connections.live.consumers import ConnectionConsumer, ConnectionsConsumer
from connections.owner_link.consumer import OwnerConsumer, OwnerLinkAuthMiddleware
from organizations.sockets.authentication import not_found

# The stubs know of views only; Channels routes applications by the same `path`.
one: Any = ConnectionConsumer.as_asgi()
every: Any = ConnectionsConsumer.as_asgi()
nothing: Any = not_found
owners: Any = OwnerLinkAuthMiddleware(OwnerConsumer.as_asgi())

# For those who are no users; everything else is behind the door that only users and tokens pass.
open_urlpatterns = [path("ws/link/", owners)]

websocket_urlpatterns = [
    path("ws/connections/", every),
    # An id is no longer than a column holds: it becomes part of a channel's name.
    re_path(r"^ws/organizations/(?P<organization_id>[0-9]{1,18})/connection/$", one),
    re_path(r"", nothing),
]
