"""What workers do now and then: new organizations, expired tokens, old deliveries."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Count, F, QuerySet
from django.utils import timezone

from organizations.models import Organization
from webhooks.actions.lost_rights import pause_expired
from webhooks.models import Attempt, Cursor, Delivery, Endpoint

KEEP_DELIVERIES = timedelta(days=30)
BATCH = 1000


def follow_new_organizations() -> None:
    """Let the endpoints of all organizations read the logs of new ones, from their begin."""
    everywhere = Endpoint.objects.present().filter(organization=None)
    counted = everywhere.order_by("pk").annotate(
        known=Count("cursors__organization", distinct=True)
    )
    found = dict(counted.values_list("pk", "known"))
    if not found:
        return
    organizations = Organization.objects.count()
    for pk, known in found.items():
        if known < organizations:
            _follow(pk)


def _follow(endpoint_id: int) -> None:
    live = Cursor.objects.filter(endpoint=endpoint_id, kind=Cursor.Kind.LIVE)
    new = Organization.objects.exclude(pk__in=live.values("organization"))
    Cursor.objects.bulk_create(
        (
            Cursor(endpoint_id=endpoint_id, organization_id=pk)
            for pk in new.order_by("pk").values_list("pk", flat=True)[:BATCH]
        ),
        ignore_conflicts=True,
    )


def clean() -> bool:
    """Delete a part of what is not kept, and pause what has expired. Return whether more is left.

    Deliveries are kept for 30 days after their end; those that wait are always kept.
    """
    pause_expired()
    now = timezone.now()
    Endpoint.objects.filter(old_secret_until__lte=now).update(
        old_secret=None, old_secret_until=None
    )
    deleted = Endpoint.objects.exclude(deleted_at=None)
    old = Delivery.objects.filter(ended_at__lt=now - KEEP_DELIVERIES)
    more = _delete(old) or _delete(Delivery.objects.filter(endpoint__in=deleted))
    if more:
        return True
    over = Cursor.objects.filter(position__gte=F("end"), deliveries=None)
    over.filter(created_at__lt=now - KEEP_DELIVERIES).delete()
    deleted.delete()
    return False


@transaction.atomic
def _delete(deliveries: QuerySet[Delivery]) -> bool:
    """Delete some deliveries with their attempts. Return whether there may be more."""
    ids = list(deliveries.order_by("pk").values_list("pk", flat=True)[:BATCH])
    Attempt.objects.filter(delivery__in=ids).delete()
    Delivery.objects.filter(pk__in=ids).delete()
    return len(ids) == BATCH
