"""Connections whose link changes as a test says."""

from __future__ import annotations

from connections import actions
from connections.actions import Fence
from connections.lifecycle import AnyObservation, Reason
from connections.models import Connection
from connections.tests.support.fake_worker import FakeWorker
from organizations.models import Organization


def linked(hand: FakeWorker, name: str) -> tuple[Organization, Fence]:
    """Return a new organization whose phone is linked."""
    organization = Organization.objects.create(name=name)
    return organization, link(hand, organization)


def link(hand: FakeWorker, organization: Organization) -> Fence:
    """Let an organization be connected, as a worker that finds its saved login."""
    connection = Connection.objects.of(organization)
    Connection.objects.filter(pk=connection.pk).update(
        desired="connected",
        state="connected",
        reason=Reason.RESUMED,
        store_name=f"store-{connection.pk}",
        number=f"55119{connection.pk:08}",
        worker=hand.worker,
        claim=1,
    )
    return Fence.of(Connection.objects.get(pk=connection.pk))


def happens(fence: Fence, *observations: AnyObservation) -> None:
    """Let a worker observe something."""
    for observation in observations:
        actions.record_event(fence, observation)
