"""Deletes what is kept no longer, and erases texts that have reached their recipients."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from connections import actions as connection_actions
from events import log
from events.models import Event, EventType
from messaging.actions import outboxes
from messaging.actions.erasure import KEPT_OF_EVENTS
from messaging.actions.outgoing import KEEP_KEYS
from messaging.media_cleanup import delete_after_commit
from messaging.models import (
    ARRIVED_STATES,
    UNSENT_STATES,
    Contact,
    IdempotencyKey,
    Media,
    Message,
    MessagingSettings,
)
from organizations.encryption import without_encrypted
from organizations.models import Organization, Retention

State = Message.State

# What one run deletes or erases of an organization at most; the next one goes on.
BATCH = 1000
EXPIRED = "expired"


def organizations() -> list[int]:
    """Return the organizations to clean; one at a time, so that messages go on in between."""
    return list(Organization.objects.order_by("pk").values_list("pk", flat=True))


def clean(organization_id: int) -> None:
    """Delete and erase what an organization's settings do not keep."""
    own = MessagingSettings.of(organization_id)
    now = timezone.now()
    if own.retention_days:
        delete_before(organization_id, now - timedelta(days=own.retention_days))
    retention = Retention.of(organization_id)
    if retention.media:
        forget_files(organization_id, now - timedelta(days=retention.media))
    if retention.history:
        before = now - timedelta(days=retention.history)
        connection_actions.delete_old_history(organization_id, before)
    # Last: it reads events, and one whose key is gone must not keep the others from being deleted.
    if own.erase_delivered_texts:
        erase_delivered(organization_id)


@transaction.atomic
def erase_delivered(organization_id: int) -> None:
    """Erase what outgoing messages say that have arrived, also in the log."""
    outboxes.lock(organization_id)
    arrived = Message.objects.filter(
        organization=organization_id,
        direction=Message.Direction.OUT,
        state__in=ARRIVED_STATES,
        erased_at=None,
    )
    found = _erase_texts(arrived)
    # Only of edits the log has the texts of our own messages.
    edits = Event.objects.filter(organization=organization_id, type=EventType.MESSAGE_EDITED)
    subjects = [message.public_id for message in found]
    log.redact(edits.filter(subject__in=subjects), KEPT_OF_EVENTS | {"from"})


def _erase_texts(messages: QuerySet[Message]) -> list[Message]:
    """Erase what some of these messages say. Return them."""
    found = list(without_encrypted(messages).order_by("pk")[:BATCH])
    for message in found:
        message.content, message.erased_at = {message.type: {}, "context": None}, timezone.now()
    Message.objects.bulk_update(found, ["content", "erased_at"])
    return found


def old_messages(organization_id: int, before: datetime) -> QuerySet[Message]:
    """Return the messages from before a time, but what still waits to be sent."""
    old = Message.objects.filter(organization=organization_id, created_at__lt=before)
    return old.exclude(state__in=UNSENT_STATES)


def old_files(organization_id: int, before: datetime) -> QuerySet[Media]:
    """Return the stored files from before a time, but those that are still to be sent."""
    old = Media.objects.filter(organization=organization_id, created_at__lt=before)
    return old.exclude(stored_as="").exclude(messages__state__in=UNSENT_STATES)


@transaction.atomic
def forget_files(organization_id: int, before: datetime) -> None:
    """Delete the content of files from before a time. Their messages stay, without it."""
    if outboxes.lock(organization_id) is None:
        return
    found = list(without_encrypted(old_files(organization_id, before)).order_by("pk")[:BATCH])
    Media.objects.filter(pk__in=[media.pk for media in found]).update(
        state=Media.State.NOT_KEPT, reason=EXPIRED, stored_as="", source=None
    )
    for media in found:
        delete_after_commit(media.stored_as)


@transaction.atomic
def delete_before(organization_id: int, before: datetime) -> None:
    """Delete messages and events from before a time, and contacts that nothing is known of then.

    What still waits to be sent is never deleted; it expires within a day, or a person decides. A
    message whose Idempotency-Key is still kept loses its text and its file; its row goes later, so
    that a repeated request sends nothing twice.
    """
    if outboxes.lock(organization_id) is None:
        return
    with_key = Q(
        Exists(IdempotencyKey.objects.filter(message=OuterRef("pk"))),
        created_at__gte=timezone.now() - KEEP_KEYS,
    )
    old = old_messages(organization_id, before)
    deletable = old.exclude(with_key).order_by("pk").values_list("pk", flat=True)
    oldest = list(deletable[:BATCH])
    without_encrypted(Message.objects.filter(pk__in=oldest)).delete()
    erased = _erase_texts(old.filter(with_key, erased_at=None))
    Message.objects.filter(pk__in=[message.pk for message in erased]).update(media=None)
    # Files that no message carries any more; what is stored of them goes with the rows.
    files = Media.objects.filter(organization=organization_id, created_at__lt=before, messages=None)
    unused_files = list(files.values_list("pk", flat=True)[:BATCH])
    without_encrypted(Media.objects.filter(pk__in=unused_files)).delete()
    events = Event.objects.filter(organization=organization_id, at__lt=before)
    newest = events.order_by("sequence").values_list("sequence", flat=True)[:BATCH]
    Event.objects.filter(organization=organization_id, sequence__in=list(newest)).delete()
    unused = Contact.objects.filter(organization=organization_id, messages=None)
    for column in ("last_received_at", "last_sent_at", "first_written_at", "resolved_at"):
        unused = unused.filter(Q(**{column: None}) | Q(**{f"{column}__lt": before}))
    without_encrypted(unused).delete()
