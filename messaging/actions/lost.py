"""Names messages that WhatsApp delivered and that were lost here before they were stored.

The library writes the secret of each message into its table before anyone sees the message. A row
of that table whose message was never stored belongs to one that was lost: its text is on the phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from connections.actions import Fence
from connections.models import Connection
from connections.worker.message_port import StoredSecret
from events import log
from events.log import NewEvent
from events.models import Event, EventType
from messaging.actions import contacts, histories, outboxes
from messaging.actions.contacts import Address
from messaging.actions.descriptions import describe_person
from messaging.models import HandledId, Message, Outbox, storable_id

State = Message.State
Direction = Message.Direction

# A message that could not be read may still come readably for so long.
READABLE_WITHIN = timedelta(minutes=10)


def position(fence: Fence) -> int:
    """Return the newest row of the connection's present table that was compared."""
    outbox = Outbox.objects.filter(
        organization=fence.connection_id,
        store_name=F("organization__connection__store_name"),
    ).first()
    return outbox.checked_secrets if outbox else 0


@transaction.atomic
def record_secrets(
    fence: Fence, secrets: Sequence[StoredSecret], checked: int, newest: int
) -> int | None:
    """Store rows for messages of the table that were never stored, with an event for each.

    `checked`: the last of these rows; `newest`: the newest one of the table. Return the newest row
    that need not be compared any more, None while nothing can be compared: a history is on its way,
    or the connection has another owner.
    """
    owned = Connection.objects.select_for_update().filter(pk=fence.connection_id, claim=fence.claim)
    connection = owned.first()
    if connection is None:
        return None
    outbox = outboxes.lock_linked(connection)
    if histories.are_awaited(outbox, connection.store_name):
        return None
    if histories.give_up(outbox, connection.store_name):
        checked = max(checked, newest)
    else:
        _record_missing(connection, secrets)
    if outbox.store_name == connection.store_name:
        outbox.checked_secrets = checked
        outbox.save(update_fields=["checked_secrets", "open_histories"])
    return checked


def _record_missing(connection: Connection, secrets: Sequence[StoredSecret]) -> None:
    """Store those of these messages that are not known."""
    ids = [storable_id(secret.whatsapp_id) for secret in secrets]
    known = {
        *_ids_of(Message, connection.pk, ids),
        *_ids_of(HandledId, connection.pk, ids),
    }
    missing = [
        (whatsapp_id, secret)
        for secret, whatsapp_id in zip(secrets, ids, strict=True)
        if whatsapp_id not in known and _concerns_a_person(secret, connection)
    ]
    old: set[str] = set()
    if missing:
        old = histories.take_known(connection.pk, {whatsapp_id for whatsapp_id, _ in missing})
    unknown = [secret for whatsapp_id, secret in missing if whatsapp_id not in old]
    own = _own_secrets(connection.pk) if unknown else set()
    lost = [secret for secret in unknown if secret.secret not in own]
    log.append(connection.pk, [_record_lost(connection, secret) for secret in lost])


def record_repeated(organization_id: int, records: Sequence[Mapping[str, Any]]) -> list[NewEvent]:
    """Store rows for messages that came again and were never stored. Return their events.

    The library has dropped them. The caller holds the lock of outboxes.py.
    """
    connection = Connection.objects.filter(pk=organization_id).first() if records else None
    if connection is None:
        return []
    ids = [storable_id(record["id"]) for record in records]
    known = {*_ids_of(Message, organization_id, ids), *_ids_of(HandledId, organization_id, ids)}
    events = []
    for record, whatsapp_id in zip(records, ids, strict=True):
        secret = StoredSecret(0, record["chat"], record["sender"], whatsapp_id, b"")
        if whatsapp_id not in known and _concerns_a_person(secret, connection):
            known.add(whatsapp_id)
            events.append(_record_lost(connection, secret))
    return events


def _ids_of(
    model: type[Message] | type[HandledId], organization_id: int, ids: Sequence[str]
) -> set[str]:
    rows = model._default_manager.filter(organization=organization_id, whatsapp_id__in=ids)
    return set(rows.values_list("whatsapp_id", flat=True))


def _own_secrets(organization_id: int) -> set[bytes]:
    """Return the secrets of our own messages' tries whose ids are not stored.

    The library writes the secret before it sends, so a refused try has a row in its table, too.
    """
    tried = Message.objects.filter(
        Q(whatsapp_id="") | Q(tries__gt=1),
        organization=organization_id,
        direction=Direction.OUT,
        tries__gte=1,
    )
    return {
        message.secret_of_try(number)
        for message in tried.only("public_id", "tries")
        for number in range(1, message.tries + 1)
    }


def _concerns_a_person(secret: StoredSecret, connection: Connection) -> bool:
    """Return whether it is in a chat with one other person, and not one's own chat."""
    address = Address.of(secret.chat)
    return bool(address.number or address.lid) and address.number != connection.number


def _record_lost(connection: Connection, secret: StoredSecret) -> NewEvent:
    contact = contacts.find_or_create(connection.pk, Address.of(secret.chat))
    own = Address.of(secret.chat) != Address.of(secret.sender)
    message = Message.objects.create(
        organization_id=connection.pk,
        contact=contact,
        direction=Direction.ELSEWHERE if own else Direction.IN,
        type="unsupported",
        content={},
        state=State.LOST,
        whatsapp_id=storable_id(secret.whatsapp_id),
        number=connection.number,
    )
    return lost_event(message, "not_stored")


def lost_event(message: Message, reason: str) -> NewEvent:
    """Return the event of a message that a person has to look up on the phone."""
    contact = message.contact
    data = {
        "id": message.public_id,
        "whatsappId": message.whatsapp_id,
        "from": describe_person(contact),
        "fromMe": message.direction == Direction.ELSEWHERE,
        "reason": reason,
        "before": message.created_at.isoformat(),
    }
    return NewEvent(EventType.MESSAGE_LOST, data, message.public_id)


def withdraw(organization_id: int, messages: Sequence[Message]) -> None:
    """Delete rows of what turned out to be no message, and events that call it lost.

    Who has not read these events yet need not look for it on the phone.
    """
    if not messages:
        return
    subjects = [message.public_id for message in messages if message.state == State.LOST]
    told = Event.objects.filter(organization=organization_id, type=EventType.MESSAGE_LOST)
    told.filter(subject__in=subjects).delete()
    Message.objects.filter(pk__in=[message.pk for message in messages]).delete()


def give_up_unreadable() -> datetime | None:
    """Report messages as lost that nobody sent again in a readable form.

    Return when that is true of the next one.
    """
    unreadable = Message.objects.filter(state=State.UNREADABLE)
    first: datetime | None = unreadable.aggregate(first=Min("created_at"))["first"]
    now = timezone.now()
    if first is None or first >= now - READABLE_WITHIN:
        return first and first + READABLE_WITHIN
    late = unreadable.filter(created_at__lt=now - READABLE_WITHIN)
    for organization_id in list(late.order_by().values_list("organization", flat=True).distinct()):
        _give_up_unreadable(organization_id, late)
    return now  # The next call finds out.


@transaction.atomic
def _give_up_unreadable(organization_id: int, late: QuerySet[Message]) -> None:
    if outboxes.lock(organization_id) is None:
        return
    found = late.filter(organization=organization_id).select_related("contact").defer("content")
    lost = list(found.order_by("pk")[:200])
    for message in lost:
        message.state = State.LOST
    Message.objects.bulk_update(lost, ["state"])
    log.append(organization_id, [lost_event(message, "unreadable") for message in lost])
