"""The ASGI application: HTTP to Django, WebSockets to the consumers."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "whatsapp_orgs.settings")
django_application = get_asgi_application()

# These need the apps to be loaded.
from connections.routing import websocket_urlpatterns  # noqa: E402
from organizations.websockets import Door  # noqa: E402
from whatsapp_orgs import production  # noqa: E402
from whatsapp_orgs.edge import BehindProxy, BoundedBodies  # noqa: E402

production.refuse_unsafe_start()

application = BehindProxy(
    ProtocolTypeRouter(
        {
            "http": BoundedBodies(django_application),
            "websocket": Door(URLRouter(websocket_urlpatterns)),
        }
    )
)
