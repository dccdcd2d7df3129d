"""Builds the environment of processes that hold WhatsApp connections: none of our secrets.

They need the proxy and the certificates' location; stores' addresses come through a socket. So a
crash of theirs, or a fault in the library, cannot reveal more.
"""

from __future__ import annotations

import os

# Settings that open the service itself, its database, its Redis or its bucket.
WITHHELD = frozenset(
    {
        "AUTH_SESSIONS_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "DATA_KEYS",
        "DATABASE_URL",
        "EMAIL_URL",
        "METRICS_TOKEN",
        "REDIS_URL",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
    }
)
# neonize marks messages to numbers as a bot's unless this says otherwise.
NO_BOT_TAG = {"NEONIZE_BOT_TAG": "off"}


def child_environment() -> dict[str, str]:
    """Return this process's environment without the settings that only this process needs."""
    inherited = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    return {**inherited, **NO_BOT_TAG}
