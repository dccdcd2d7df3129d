"""The errors of a database that is unavailable, or that only reads.

A server only reads when a failover has left this process at the old primary. It answers
`SELECT 1`, so neither Django nor its pool replaces a connection to it. Whoever is refused a write
closes the connection; the next one may lead to the new primary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, InternalError, OperationalError, connection

DATABASE_UNAVAILABLE = (OperationalError, InterfaceError)

# PostgreSQL's read_only_sql_transaction.
READ_ONLY_STATE = "25006"


def is_read_only(error: BaseException | None) -> bool:
    """Return whether PostgreSQL has refused a write as it only reads."""
    cause = error.__cause__ if isinstance(error, InternalError) else None
    return getattr(cause, "sqlstate", None) == READ_ONLY_STATE


def drop_connection() -> None:
    """Close this thread's connection, which a pool would give out again. Outside a transaction."""
    if connection.connection is not None and connection.settings_dict["OPTIONS"].get("pool"):
        connection.connection.close()
    connection.close()


@contextmanager
def as_outage() -> Iterator[None]:
    """Raise OperationalError where PostgreSQL only reads, and close the connection."""
    try:
        yield
    except InternalError as error:
        if not is_read_only(error):
            raise
        drop_connection()
        raise OperationalError("the database only reads") from error
