"""Deletes the old history of a connection."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from connections.models import Connection, ConnectionEvent, PairingAttempt

# What one call deletes at most; the next one goes on.
BATCH = 1000


def old_events(connection_id: int, before: datetime) -> QuerySet[ConnectionEvent]:
    """Return the lines of a connection's history from before a time."""
    return ConnectionEvent.objects.filter(connection=connection_id, at__lt=before)


@transaction.atomic
def delete_old_history(connection_id: int, before: datetime) -> None:
    """Delete some of what a connection's history has from before a time.

    The attempt that linked the present phone stays, as its store is named after it.
    """
    connection = Connection.objects.select_for_update().filter(pk=connection_id).first()
    if connection is None:
        return
    events = old_events(connection_id, before).order_by("pk")
    ConnectionEvent.objects.filter(
        pk__in=list(events.values_list("pk", flat=True)[:BATCH])
    ).delete()
    attempts = connection.attempts.filter(ended_at__lt=before).order_by("pk")
    ended = [each.pk for each in attempts.only("pk") if each.store_name != connection.store_name]
    PairingAttempt.objects.filter(pk__in=ended[:BATCH]).delete()
    connection.owner_links.filter(expires_at__lt=before, used_at=None).delete()
    connection.owner_links.filter(expires_at__lt=before, used_at__lt=before).delete()
    connection.self_tests.filter(expires_at__lt=before).delete()
