"""What processes that hold WhatsApp connections find in their environment: none of our secrets.

They need the proxy and the place of certificates; their stores' addresses come through a pipe. A
crash of theirs, or a fault in the library, gives away nothing else.
"""

from __future__ import annotations

import os

# Settings that open the service itself, its database or its Redis.
WITHHELD = frozenset(
    {
        "AUTH_SESSIONS_URL",
        "DATABASE_URL",
        "METRICS_TOKEN",
        "REDIS_URL",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
    }
)


def child_environment() -> dict[str, str]:
    """Return the environment of this process without what only this process needs."""
    return {name: value for name, value in os.environ.items() if name not in WITHHELD}
