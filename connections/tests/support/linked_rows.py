"""Rows of connections with a linked phone, without a client."""

from __future__ import annotations

from connections.lifecycle import Desired, State
from connections.models import Connection, Worker
from organizations.models import Organization


def create_linked(count: int, worker: Worker | None = None) -> list[int]:
    """Create so many connected connections, of a worker if there is one. Return their ids."""
    created = []
    for number in range(count):
        organization = Organization.objects.create(name=f"Client {number}")
        connection = Connection.objects.of(organization)
        Connection.objects.filter(pk=connection.pk).update(
            store_name="attempt-1",
            number=f"55119{connection.pk}",
            desired=Desired.CONNECTED,
            state=State.CONNECTED,
            worker=worker,
        )
        created.append(connection.pk)
    return created
