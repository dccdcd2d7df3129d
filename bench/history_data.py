"""The data of `bench.history`, made in bulk in SQLite; `manage.py shell` imports it.

One row of each table is written by Django, as a pattern; SQL repeats it, with its own ids and
times. So a new column needs no change here. Rows are in the order of their times, as they come in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection, models, transaction
from django.utils import timezone

from connections.lifecycle import Reason, State
from connections.models import Connection, ConnectionEvent
from events.models import Event, EventCounter
from messaging.models import Contact, Message, MessageDay
from monitoring.counters import TotalsReader
from organizations.models import Organization

DAYS = 365
CONTACTS = 50
# One in so many needs a person; none needs a worker, so that nothing changes meanwhile.
NEEDING = 5


def fill(organizations: int, count: int) -> None:
    """Make organizations, and `count` messages, events of the log and of connections in a year.

    Prints the seconds.
    """
    started = time.monotonic()
    if not connection.in_atomic_block:
        with connection.cursor() as cursor:
            # If this is interrupted, the database is thrown away.
            cursor.execute("PRAGMA synchronous = OFF")
    with transaction.atomic():
        _organizations(organizations)
        if count:
            _repeat_all(organizations, count)
            _days(organizations, count)
            counters = Organization.objects.values_list("pk", flat=True)
            EventCounter.objects.bulk_create(
                EventCounter(organization_id=pk, last=count // organizations) for pk in counters
            )
    # The metrics' counts, as the scrapes of that year would have stored them.
    TotalsReader().read()
    print(f"filled in {time.monotonic() - started:.3f}")


def _organizations(count: int) -> None:
    Organization.objects.bulk_create(
        Organization(name=f"Padaria Estrela {number}") for number in range(count)
    )
    Connection.objects.create_missing(Organization.objects.all())
    rows = list(Connection.objects.order_by("pk"))
    for number, row in enumerate(rows):
        needs_person = number % NEEDING == 0
        row.state = State.ACTION_NEEDED if needs_person else State.DISCONNECTED
        row.reason = Reason.LOGGED_OUT_BY_PHONE if needs_person else Reason.DISCONNECTED
        row.since = timezone.now() - timedelta(minutes=7 * number)
        row.last_number = f"55119{80_000_000 + number}"
    Connection.objects.bulk_update(rows, ["state", "reason", "since", "last_number"])
    Contact.objects.bulk_create(
        Contact(organization_id=row.pk, number=f"55119{70_000_000 + number}")
        for row in rows
        for number in range(CONTACTS)
    )


def _repeat_all(organizations: int, count: int) -> None:
    """Repeat a pattern of each table `count` times, the ids beginning with the pattern's."""
    organization = Organization.objects.order_by("pk").values_list("pk", flat=True)[0]
    contact = Contact.objects.order_by("pk").values_list("pk", flat=True)[0]
    # The numbers of rows n count from 0: its organization, its contact there, and its time.
    of_organization = f"{organization} + n % {organizations}"
    of_contact = (
        f"{contact} + (n % {organizations}) * {CONTACTS} + (n / {organizations}) % {CONTACTS}"
    )
    seconds = f"((n - {count}) * {DAYS * 86400 / count}) || ' seconds'"
    at = f"strftime('%Y-%m-%d %H:%M:%f', 'now', {seconds})"
    is_out = f"(n / {organizations}) % 2"
    message = Message(
        organization_id=organization,
        contact_id=contact,
        direction="in",
        type="text",
        content={"text": {"body": "Bom dia! O pedido 1042 já saiu?"}},
        state="received",
    )
    columns = {
        "organization_id": of_organization,
        "contact_id": of_contact,
        "public_id": "printf('h%021d', n)",
        "whatsapp_id": "printf('W%d', n)",
        "direction": f"CASE {is_out} WHEN 1 THEN 'out' ELSE 'in' END",
        "state": f"CASE {is_out} WHEN 1 THEN 'read' ELSE 'received' END",
        **dict.fromkeys(("created_at", "happened_at"), at),
        **dict.fromkeys(("sending_at", "sent_at", "read_at"), f"iif({is_out}, {at}, NULL)"),
    }
    _repeat(message, columns, count)
    data = {"id": "h", "type": "text", "text": {"body": "Bom dia! O pedido 1042 já saiu?"}}
    event = Event(organization_id=organization, sequence=0, type="message.received", data=data)
    columns = {
        "organization_id": of_organization,
        "sequence": f"n / {organizations} + 1",
        "subject": "printf('h%021d', n)",
        "at": at,
    }
    _repeat(event, columns, count)
    lost = ConnectionEvent(
        connection_id=organization,
        observation=Reason.LINK_LOST,
        state_before=State.CONNECTED,
        state=State.RECONNECTING,
        reason=Reason.LINK_LOST,
    )
    # In turns lost and resumed.
    is_back = f"(n / {organizations}) % 2"
    columns = {
        "connection_id": of_organization,
        "at": at,
        **{
            name: f"CASE {is_back} WHEN 1 THEN '{back}' ELSE '{getattr(lost, name)}' END"
            for name, back in (
                ("observation", Reason.RESUMED),
                ("reason", Reason.RESUMED),
                ("state", State.CONNECTED),
                ("state_before", State.RECONNECTING),
            )
        },
    }
    _repeat(lost, columns, count)


def _repeat(pattern: models.Model, columns: Mapping[str, str], count: int) -> None:
    """Store `count` rows like an unsaved one, with SQL of n for some columns."""
    pattern.save(force_insert=True)
    table = type(pattern)._meta.db_table
    names = [str(field.column) for field in type(pattern)._meta.local_concrete_fields]
    values = [columns.get(name, f'pattern."{name}"') for name in names]
    values[names.index("id")] = "n + 1"
    quoted = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor, _without_indexes(table):
        cursor.execute(f"CREATE TEMP TABLE pattern AS SELECT * FROM {table}")
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(
            "WITH RECURSIVE numbers(n) AS "
            f"(SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count}) "
            f"INSERT INTO {table} ({quoted}) SELECT {', '.join(values)} FROM numbers, pattern"
        )
        cursor.execute("DROP TABLE pattern")


@contextmanager
def _without_indexes(table: str) -> Iterator[None]:
    """Drop a table's indexes and make them again: ten times faster than to keep them up to date."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s "
            "AND sql IS NOT NULL",
            [table],
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        for _, sql in indexes:
            cursor.execute(sql)


def _days(organizations: int, count: int) -> None:
    """Count the messages of each past day, as a worker has done every night."""
    half = round(count / organizations / DAYS / 2)
    today = timezone.localdate()
    MessageDay.objects.bulk_create(
        (
            MessageDay(
                organization_id=pk, day=today - timedelta(days=ago), received=half, sent=half
            )
            for ago in range(1, 71)
            for pk in Organization.objects.values_list("pk", flat=True)
        ),
        batch_size=2000,
    )
