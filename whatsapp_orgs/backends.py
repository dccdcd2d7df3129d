"""From one process to many by two settings: DATABASE_URL and REDIS_URL.

Without them everything is in one process: SQLite in DATA_DIR, signals in memory, the worker beside
the web server. With them any number of web processes and workers share a PostgreSQL and a Redis.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

# A query, a lock, a transaction left open and a peer gone without a word all come to an end.
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
    """Django's settings of the database: SQLite in `folder`, or the PostgreSQL of the URL.

    `connections`: how many one process may have open. Raises ImproperlyConfigured.
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
    given = found.get("OPTIONS", {})
    found["OPTIONS"] = {
        **CLIENT_TIMEOUTS,
        "options": SERVER_TIMEOUTS,
        **given,
        "pool": {
            "min_size": 0,
            "max_size": connections,
            "timeout": POOL_SECONDS,
            "max_idle": IDLE_SECONDS,
            # Who asks next tries anew, so all is well as soon as the database is back.
            "reconnect_timeout": 0.0,
            "reconnect_failed": _nobody_waits,
        },
    }
    # A connection that broke while it lay in the pool is noticed before it is used.
    found["CONN_HEALTH_CHECKS"] = True
    # With PgBouncer in front, a transaction may have another server connection than the last one.
    found["DISABLE_SERVER_SIDE_CURSORS"] = True
    return found


def _nobody_waits(pool: Any) -> None:
    """The database cannot be reached: those who wait for a connection hear so, not at the end of
    their time, and whoever it was that tried for them."""
    from psycopg import OperationalError

    with pool._lock:
        waiting = list(pool._waiting)
        pool._waiting.clear()
    for client in waiting:
        client.fail(OperationalError("the database cannot be reached"))


def _sqlite(folder: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": folder / "db.sqlite3",
        # For the few threads that stay (handler.py): opening one costs more than a short answer.
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            # IMMEDIATE: two writers queue up instead of failing half-way with "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        # A file, so that several threads and processes of a test see the same rows.
        "TEST": {"NAME": folder / "test.sqlite3"},
    }


def channel_layer(url: str, prefix: str) -> dict[str, Any]:
    """Django's settings of the channel layer. Raises ImproperlyConfigured."""
    if not url:
        return {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    _check(url)
    return {
        "BACKEND": "whatsapp_orgs.server.redis_layer.ReconnectingRedisLayer",
        "CONFIG": {"url": url, "prefix": prefix},
    }


def cache(url: str, prefix: str) -> dict[str, Any]:
    """Django's settings of the cache, where wrong tokens are counted."""
    if not url:
        return {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    return {
        "BACKEND": "whatsapp_orgs.server.redis_layer.FaultTolerantRedisCache",
        # Of a text Django would make several servers where a password has a comma.
        "LOCATION": [url],
        "KEY_PREFIX": prefix,
        "OPTIONS": {
            "serializer": "whatsapp_orgs.server.redis_layer.JsonSerializer",
            "socket_connect_timeout": 1,
            "socket_timeout": 1,
        },
    }


def check_auth_sessions(place: str, url: str) -> None:
    """Whether organizations' credentials can be there. Raises ImproperlyConfigured."""
    if place != "database":
        return
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(
            "AUTH_SESSIONS is database, so DATABASE_URL or AUTH_SESSIONS_URL must be "
            "postgres://USER:PASSWORD@HOST:PORT/NAME."
        )


def _check(url: str) -> None:
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ImproperlyConfigured(
            "REDIS_URL must be redis://HOST:PORT/0 (or rediss://, unix://), or empty for signals "
            "inside one process."
        )


def problems(redis_url: str, embedded_worker: bool) -> Iterator[tuple[str, str]]:
    """Combinations that cannot work, with a code for each."""
    if not embedded_worker and not redis_url:
        yield (
            "E101",
            "EMBEDDED_WORKER is off, so the worker is another process, and signals in memory do "
            "not reach it: set REDIS_URL, or EMBEDDED_WORKER=true.",
        )
