"""Build Django's database, channel layer and cache settings from DATABASE_URL and REDIS_URL.

Without them everything runs in one process: SQLite in DATA_DIR, messages in memory, an embedded
worker. With them any number of web processes and workers share a PostgreSQL and a Redis.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

# Limits for queries, locks, idle transactions and silently lost peers.
SERVER_TIMEOUTS = (
    "-c statement_timeout=20s -c lock_timeout=15s -c idle_in_transaction_session_timeout=10s"
)
CLIENT_TIMEOUTS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
POOL_SECONDS = 10.0
IDLE_SECONDS = 60.0


def database(url: str, folder: Path, connections: int) -> dict[str, Any]:
    """Return the database settings: SQLite in `folder`, or the PostgreSQL of the URL.

    `connections`: the maximum for one process. Raises ImproperlyConfigured.
    """
    if not url:
        return _sqlite(folder)
    schemes = ("postgres", "postgresql")
    if urlsplit(url).scheme not in schemes or not urlsplit(url).path.strip("/"):
        raise ImproperlyConfigured(
            "DATABASE_URL must be postgres://USER:PASSWORD@HOST:PORT/NAME, or empty for SQLite in "
            "DATA_DIR."
        )
    found: dict[str, Any] = environ.Env.db_url_config(url)
    found["ENGINE"] = "django.db.backends.postgresql"
    options = found.get("OPTIONS", {})
    found["OPTIONS"] = {
        **CLIENT_TIMEOUTS,
        "options": SERVER_TIMEOUTS,
        **options,
        "pool": {
            "min_size": 0,
            "max_size": connections,
            "timeout": POOL_SECONDS,
            "max_idle": IDLE_SECONDS,
            # The next request tries again, so the service recovers with the database.
            "reconnect_timeout": 0.0,
            "reconnect_failed": _fail_waiting_clients,
        },
    }
    # Replaces a connection that broke in the pool before it is used.
    found["CONN_HEALTH_CHECKS"] = True
    # Behind PgBouncer each transaction may use another server connection.
    found["DISABLE_SERVER_SIDE_CURSORS"] = True
    return found


def _fail_waiting_clients(pool: Any) -> None:
    """Fail all requests that wait for a connection now, instead of at their timeout."""
    from psycopg import OperationalError

    with pool._lock:
        waiting = list(pool._waiting)
        pool._waiting.clear()
    for client in waiting:
        client.fail(OperationalError("the database cannot be reached"))


def _sqlite(folder: Path) -> dict[str, Any]:
    return {
        "ENGINE": "whatsapp_orgs.sqlite",
        "NAME": folder / "db.sqlite3",
        # For the pool threads (server/handler.py): opening a connection costs more than a query.
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            # IMMEDIATE: the second writer waits, instead of failing with "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        # A file, so that threads and processes of a test share it.
        "TEST": {"NAME": folder / "test.sqlite3"},
    }


def channel_layer(url: str, prefix: str) -> dict[str, Any]:
    """Return the channel layer settings. Raises ImproperlyConfigured."""
    if not url:
        return {"BACKEND": "whatsapp_orgs.server.relay.RelayedLayer", "CONFIG": {"capacity": 1000}}
    _check_redis_url(url)
    return {
        "BACKEND": "whatsapp_orgs.server.redis_layer.ReconnectingRedisLayer",
        "CONFIG": {"url": url, "prefix": prefix},
    }


def cache(url: str, prefix: str) -> dict[str, Any]:
    """Return the cache settings. The cache counts wrong tokens."""
    if not url:
        return {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    return {
        "BACKEND": "whatsapp_orgs.server.redis_layer.FaultTolerantRedisCache",
        # A list, because Django would split a string at a comma in the password.
        "LOCATION": [url],
        "KEY_PREFIX": prefix,
        "OPTIONS": {
            "serializer": "whatsapp_orgs.server.redis_layer.JsonSerializer",
            "socket_connect_timeout": 1,
            "socket_timeout": 1,
        },
    }


def check_auth_sessions(location: str, url: str) -> None:
    """Raise ImproperlyConfigured if AUTH_SESSIONS is "database" without a PostgreSQL URL."""
    if location != "database":
        return
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(
            "AUTH_SESSIONS is database, so DATABASE_URL or AUTH_SESSIONS_URL must be "
            "postgres://USER:PASSWORD@HOST:PORT/NAME."
        )


def _check_redis_url(url: str) -> None:
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ImproperlyConfigured(
            "REDIS_URL must be redis://HOST:PORT/0 (or rediss://, unix://), or empty for signals "
            "inside one process."
        )


def topology_problems(redis_url: str, embedded_worker: bool) -> Iterator[tuple[str, str]]:
    """Yield the code and the text of each combination of settings that cannot work."""
    if not embedded_worker and not redis_url:
        yield (
            "E101",
            "EMBEDDED_WORKER is off, so the worker is another process, and signals in memory do "
            "not reach it: set REDIS_URL, or EMBEDDED_WORKER=true.",
        )
