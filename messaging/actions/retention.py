"""Deletes what is not kept any longer, and erases texts that have reached their recipients."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from events.models import Event
from messaging.actions import outboxes
from messaging.models import UNSENT_STATES, Contact, Media, Message, MessagingSettings
from organizations.models import Organization

State = Message.State

# What one run deletes or erases of an organization at most; the next one goes on.
BATCH = 1000
ARRIVED = (State.DELIVERED, State.READ, State.PLAYED)


def organizations() -> list[int]:
    """Return the organizations to clean; one at a time, so that messages go on in between."""
    return list(Organization.objects.order_by("pk").values_list("pk", flat=True))


def clean(organization_id: int) -> None:
    """Delete and erase what an organization's settings do not keep."""
    own = MessagingSettings.of(organization_id)
    if own.erase_delivered_texts:
        erase_delivered(organization_id)
    if own.retention_days:
        delete_before(organization_id, timezone.now() - timedelta(days=own.retention_days))


@transaction.atomic
def erase_delivered(organization_id: int) -> None:
    """Erase what outgoing messages say that have arrived."""
    outboxes.lock(organization_id)
    arrived = Message.objects.filter(
        organization=organization_id,
        direction=Message.Direction.OUT,
        state__in=ARRIVED,
        erased_at=None,
    )
    found = list(arrived.order_by("pk")[:BATCH])
    for message in found:
        message.content, message.erased_at = {message.type: {}, "context": None}, timezone.now()
    Message.objects.bulk_update(found, ["content", "erased_at"])


@transaction.atomic
def delete_before(organization_id: int, before: datetime) -> None:
    """Delete messages and events from before a time, and contacts that nothing is known of then.

    What still waits to be sent is never deleted; it expires within a day.
    """
    if outboxes.lock(organization_id) is None:
        return
    old = Message.objects.filter(organization=organization_id, created_at__lt=before)
    old = old.exclude(state__in=UNSENT_STATES)
    Message.objects.filter(
        pk__in=list(old.order_by("pk").values_list("pk", flat=True)[:BATCH])
    ).delete()
    # Files that no message carries any more; what is stored of them goes with the rows.
    files = Media.objects.filter(organization=organization_id, created_at__lt=before, messages=None)
    Media.objects.filter(pk__in=list(files.values_list("pk", flat=True)[:BATCH])).delete()
    events = Event.objects.filter(organization=organization_id, at__lt=before)
    newest = events.order_by("sequence").values_list("sequence", flat=True)[:BATCH]
    Event.objects.filter(organization=organization_id, sequence__in=list(newest)).delete()
    unused = Contact.objects.filter(organization=organization_id, messages=None)
    for column in ("last_received_at", "last_sent_at", "first_written_at", "resolved_at"):
        unused = unused.filter(Q(**{column: None}) | Q(**{f"{column}__lt": before}))
    unused.delete()
