"""Names messages that WhatsApp delivered and that were lost here before they were stored.

The library writes the secret of each message into its table before anyone sees the message. A row
of that table whose message was never stored belongs to one that was lost: its text is on the phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from connections.actions import Fence
from connections.models import Connection
from connections.worker.message_port import StoredSecret
from events import log
from events.log import NewEvent
from events.models import EventType
from messaging.actions import contacts
from messaging.actions.contacts import Address
from messaging.models import HandledId, Message, Outbox

State = Message.State
Direction = Message.Direction

# A message that could not be read may still come readably for so long.
READABLE_WITHIN = timedelta(minutes=10)


def position(fence: Fence) -> int:
    """Return the newest row of the table that was compared."""
    outbox = Outbox.objects.filter(organization=fence.connection_id).first()
    return outbox.checked_secrets if outbox else 0


@transaction.atomic
def record_secrets(fence: Fence, secrets: Sequence[StoredSecret], checked: int) -> None:
    """Store rows for messages of the table that were never stored, with an event for each."""
    connection = Connection.objects.filter(pk=fence.connection_id, claim=fence.claim).first()
    if connection is None:
        return
    ids = [secret.whatsapp_id for secret in secrets]
    own = _secrets_being_sent(fence.connection_id)
    known = {
        *_ids_of(Message, fence.connection_id, ids),
        *_ids_of(HandledId, fence.connection_id, ids),
    }
    lost = [
        secret
        for secret in secrets
        if secret.whatsapp_id not in known
        and secret.secret not in own
        and _concerns_a_person(secret, connection)
    ]
    events = [_record_lost(connection, secret) for secret in lost]
    log.append(fence.connection_id, events)
    Outbox.objects.update_or_create(
        organization_id=fence.connection_id,
        defaults={"checked_secrets": checked},
        create_defaults={
            "checked_secrets": checked,
            "store_name": connection.store_name,
            "number": connection.number,
        },
    )


def _ids_of(
    model: type[Message] | type[HandledId], organization_id: int, ids: Sequence[str]
) -> set[str]:
    rows = model._default_manager.filter(organization=organization_id, whatsapp_id__in=ids)
    return set(rows.values_list("whatsapp_id", flat=True))


def _secrets_being_sent(organization_id: int) -> set[bytes]:
    """Return the secrets of outgoing messages whose ids may not be stored yet."""
    sending = Message.objects.filter(
        organization=organization_id, state__in=(State.SENDING, State.UNKNOWN), whatsapp_id=""
    )
    return {message.secret for message in sending.only("public_id", "tries")}


def _concerns_a_person(secret: StoredSecret, connection: Connection) -> bool:
    """Return whether it is in a chat with one other person, and not one's own chat."""
    address = Address.of(secret.chat)
    return bool(address.number or address.lid) and address.number != connection.number


def _record_lost(connection: Connection, secret: StoredSecret) -> NewEvent:
    contact = contacts.find_or_create(connection.pk, Address.of(secret.chat))
    sender = Address.of(secret.sender)
    own = Address.of(secret.chat) != sender
    message = Message.objects.create(
        organization_id=connection.pk,
        contact=contact,
        direction=Direction.ELSEWHERE if own else Direction.IN,
        type="unsupported",
        content={},
        state=State.LOST,
        whatsapp_id=secret.whatsapp_id,
        number=connection.number,
    )
    return lost_event(message, "not_stored")


def lost_event(message: Message, reason: str) -> NewEvent:
    """Return the event of a message that a person has to look up on the phone."""
    contact = message.contact
    data = {
        "id": message.public_id,
        "whatsappId": message.whatsapp_id,
        "from": {
            "phone": f"+{contact.number}" if contact.number else None,
            "lid": contact.lid or None,
            "waId": contact.number or None,
            "name": contact.name,
        },
        "fromMe": message.direction == Direction.ELSEWHERE,
        "reason": reason,
        "before": message.created_at.isoformat(),
    }
    return NewEvent(EventType.MESSAGE_LOST, data, message.public_id)


@transaction.atomic
def give_up_unreadable() -> None:
    """Report messages as lost that nobody sent again in a readable form."""
    before = timezone.now() - READABLE_WITHIN
    late = Message.objects.select_for_update(of=("self",)).select_related("contact")
    late = late.filter(state=State.UNREADABLE, created_at__lt=before)
    for message in late.order_by("organization", "pk")[:200]:
        message.state = State.LOST
        message.save(update_fields=["state"])
        log.append(message.organization_id, [lost_event(message, "unreadable")])
