"""The ASGI application: HTTP to Django, WebSockets to the consumers."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

from whatsapp_orgs.server import handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "whatsapp_orgs.settings")
django_application = handler.application()

# These imports need loaded apps.
from cloud_api.query_secrets import QuerySecretsMiddleware  # noqa: E402
from connections.routing import open_urlpatterns, websocket_urlpatterns  # noqa: E402
from messaging import routing as messaging  # noqa: E402
from monitoring.endpoints import HealthMiddleware  # noqa: E402
from organizations.sockets.authentication import AuthMiddleware  # noqa: E402
from whatsapp_orgs.checks import refuse_bad_start  # noqa: E402
from whatsapp_orgs.server.busy_response import ServerBusyMiddleware  # noqa: E402
from whatsapp_orgs.server.proxy_headers import ProxyHeadersMiddleware  # noqa: E402

refuse_bad_start()

authenticated: Any = AuthMiddleware(
    URLRouter([*messaging.websocket_urlpatterns, *websocket_urlpatterns])
)
application = QuerySecretsMiddleware(
    HealthMiddleware(
        ProxyHeadersMiddleware(
            ProtocolTypeRouter(
                {
                    "http": ServerBusyMiddleware(django_application),
                    "websocket": URLRouter([*open_urlpatterns, re_path(r"", authenticated)]),
                }
            )
        )
    )
)
