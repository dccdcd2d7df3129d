"""Daphne without what it never uses here: TLS (a proxy in front ends it), WAMP, and their packages.

That is a quarter of what the process would weigh.
"""

from __future__ import annotations

import importlib
import sys
import types

from django.apps import AppConfig

from organizations import lean

# What Twisted and autobahn import "if it is there".
UNUSED = ("OpenSSL", "service_identity", "_nvx_utf8validator", "click")
# autobahn derives classes from these, which nobody asks for.
WAMP = (
    "WampWebSocketServerProtocol",
    "WampWebSocketServerFactory",
    "WampWebSocketClientProtocol",
    "WampWebSocketClientFactory",
)


class DaphneConfig(AppConfig):
    """Daphne's app, without loading Twisted in every command, and the first to be ready."""

    name = "daphne"
    verbose_name = "Daphne"

    def ready(self) -> None:
        lean.load_rest_framework()


def load() -> None:
    """Import Daphne's server, unless it is there already."""
    if "daphne.server" in sys.modules:
        return
    with lean.absent(*UNUSED):
        for package in ("autobahn.twisted", "autobahn.wamp"):
            lean.hollow(package)
        wamp = types.ModuleType("autobahn.wamp.websocket")
        vars(wamp).update({name: type(name, (), {}) for name in WAMP})
        sys.modules[wamp.__name__] = wamp
        vars(sys.modules["autobahn.wamp"])["websocket"] = wamp
        importlib.import_module("daphne.server")
