"""What workers do now and then: new organizations, expired tokens, old deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from organizations.encryption import without_encrypted
from organizations.models import Organization, Retention
from webhooks.actions.lost_rights import pause_expired
from webhooks.models import Attempt, Cursor, Delivery, Endpoint

BATCH = 1000


def follow_new_organizations() -> bool:
    """Let the endpoints of all organizations read the logs of new ones, from their begin.

    Return whether there were new ones.
    """
    everywhere = Endpoint.objects.present().filter(organization=None)
    counted = everywhere.order_by("pk").annotate(
        known=Count(
            "cursors__organization",
            filter=Q(cursors__organization__removing_since=None),
            distinct=True,
        )
    )
    found = dict(counted.values_list("pk", "known"))
    if not found:
        return False
    organizations = Organization.objects.present().count()
    behind = [pk for pk, known in found.items() if known < organizations]
    for pk in behind:
        _follow(pk)
    return bool(behind)


def _follow(endpoint_id: int) -> None:
    live = Cursor.objects.filter(endpoint=endpoint_id, kind=Cursor.Kind.LIVE)
    new = Organization.objects.present().exclude(pk__in=live.values("organization"))
    Cursor.objects.bulk_create(
        (
            Cursor(endpoint_id=endpoint_id, organization_id=pk)
            for pk in new.order_by("pk").values_list("pk", flat=True)[:BATCH]
        ),
        ignore_conflicts=True,
    )


def clean() -> bool:
    """Delete a part of what is not kept, and pause what has expired. Return whether more is left.

    Deliveries are kept for some days after their end; those that wait are always kept.
    """
    pause_expired()
    now = timezone.now()
    Endpoint.objects.filter(old_secret_until__lte=now).update(
        old_secret=None, old_secret_until=None
    )
    deleted = Endpoint.objects.exclude(deleted_at=None)
    leftover = Delivery.objects.filter(endpoint__in=deleted)
    if any(_delete(old) for old in _old_deliveries(now)) or _delete(leftover):
        return True
    over = Cursor.objects.filter(position__gte=F("end"), deliveries=None)
    days = timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    over.filter(created_at__lt=now - days).delete()
    without_encrypted(deleted).delete()
    return False


def old_deliveries(organization_id: int, before: datetime) -> QuerySet[Delivery]:
    """Return an organization's deliveries that ended before a time."""
    return Delivery.objects.filter(organization=organization_id, ended_at__lt=before)


def _old_deliveries(now: datetime) -> Iterator[QuerySet[Delivery]]:
    """Yield the deliveries that are kept no longer: those with the default days, then others."""
    own = Retention.objects.exclude(delivery_days=None)
    decided = {retention.pk: retention.deliveries for retention in own}
    ended = Delivery.objects.filter(
        ended_at__lt=now - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    )
    yield ended.exclude(organization__in=list(decided)) if decided else ended
    for organization_id, days in decided.items():
        yield old_deliveries(organization_id, now - timedelta(days=days))


@transaction.atomic
def _delete(deliveries: QuerySet[Delivery]) -> bool:
    """Delete some deliveries with their attempts. Return whether there may be more."""
    ids = list(deliveries.order_by("pk").values_list("pk", flat=True)[:BATCH])
    Attempt.objects.filter(delivery__in=ids).delete()
    Delivery.objects.filter(pk__in=ids).delete()
    return len(ids) == BATCH
