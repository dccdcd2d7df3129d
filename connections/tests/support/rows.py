"""Reads all rows, to test that a call changes none."""

from connections.models import Connection, ConnectionEvent, PairingAttempt, SelfTest, Worker

Rows = dict[str, list[dict[str, object]]]


def everything() -> Rows:
    """Return every row of every table that `actions` writes."""
    tables = (Connection, ConnectionEvent, PairingAttempt, SelfTest, Worker)
    return {
        table.__name__: [dict(row) for row in table._default_manager.order_by("pk").values()]
        for table in tables
    }
