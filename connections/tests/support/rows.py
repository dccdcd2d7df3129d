"""Reads all rows, to test that a call changes none."""

from django.db import connection

from connections.models import Connection, ConnectionEvent, PairingAttempt, SelfTest, Worker

Rows = dict[str, list[dict[str, object]]]
TABLES = (Connection, ConnectionEvent, PairingAttempt, SelfTest, Worker)


def everything() -> Rows:
    """Return every row of every table that `actions` writes, as the database has it.

    State machines ask thousands of times, so no query is built by Django.
    """
    found: Rows = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            name = connection.ops.quote_name(table._meta.db_table)
            cursor.execute(f"SELECT * FROM {name} ORDER BY {table._meta.pk.column}")
            columns = [column[0] for column in cursor.description]
            found[table.__name__] = [
                dict(zip(columns, row, strict=True)) for row in cursor.fetchall()
            ]
    return found
