"""Messages that have not left: cancels one, and releases or drops what is held."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from connections import broadcast
from messaging.actions import outboxes, statuses
from messaging.actions.outgoing import DEFAULT_EXPIRY
from messaging.models import CANCELLABLE_STATES, Message
from messaging.refusals import NotCancellable

State = Message.State


@transaction.atomic
def cancel(organization_id: int, message_id: int) -> Message:
    """Cancel a message that is queued or held, and return it.

    Raises NotCancellable and Message.DoesNotExist.
    """
    outboxes.lock(organization_id)
    messages = Message.objects.select_related("contact", "media", "resends")
    message = messages.get(organization=organization_id, pk=message_id)
    if message.state not in CANCELLABLE_STATES:
        raise NotCancellable
    statuses.set_state(message, State.CANCELLED, "cancelled")
    statuses.save([message])
    return message


@transaction.atomic
def release(organization_id: int) -> int:
    """Queue what is held since a new link. Return how many messages that were.

    They get the default time to be sent in, as their own has passed or soon will; edits do not, as
    the apps would ignore them. What may have been sent before a backup was restored is never told
    as not sent from now on.
    """
    held = _lock_held(organization_id)
    held.filter(reason=statuses.RESTORED).update(on_unknown=Message.OnUnknown.RESENT)
    expires_at = timezone.now() + DEFAULT_EXPIRY
    edits, others = held.filter(type="edit"), held.exclude(type="edit")
    count = statuses.change_all(organization_id, edits, State.QUEUED)
    count += statuses.change_all(organization_id, others, State.QUEUED, expires_at=expires_at)
    broadcast.notify_outbox(organization_id)
    return count


@transaction.atomic
def drop(organization_id: int) -> int:
    """Cancel what is held since a new link. Return how many messages that were.

    What may have been sent before a backup was restored becomes unknown.
    """
    held = _lock_held(organization_id)
    return statuses.change_all(organization_id, held, State.CANCELLED, "dropped")


@transaction.atomic
def discard_waiting(organization_id: int) -> int:
    """Cancel what is queued. Return how many messages that were."""
    outboxes.lock(organization_id)
    waiting = Message.objects.filter(organization=organization_id, state=State.QUEUED)
    return statuses.change_all(organization_id, waiting, State.CANCELLED, "cancelled")


def _lock_held(organization_id: int) -> QuerySet[Message]:
    outboxes.lock(organization_id)
    return Message.objects.filter(organization=organization_id, state=State.HELD)
