"""An organization with something of all that is stored, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone

from connections import actions as connection_actions
from connections.actions import Fence
from connections.lifecycle import Reason
from connections.models import (
    BulkItem,
    BulkRun,
    Connection,
    ConnectionEvent,
    OrganizationProxy,
    OwnerLink,
    PairingAttempt,
    SelfTest,
)
from messaging import media_files
from messaging.models import (
    EarlyReceipt,
    HandledId,
    HistoryId,
    IdempotencyKey,
    Media,
    Message,
    MessageDay,
)
from messaging.tests.support.linked import ANA, Linked
from messaging.tests.support.records import message
from notices.models import Address, Choice, Trouble
from organizations.access import Actor
from organizations.actions import create_token
from organizations.models import (
    ApiToken,
    AuditEntry,
    Invitation,
    Membership,
    Organization,
    Retention,
)
from webhooks.models import Attempt, Cursor, Delivery, Endpoint

ALICE = Actor("alice")
FILE = b"the content of a file"


def fill(organization: Organization) -> Linked:
    """Link an organization, and store something of every kind."""
    linked = Linked(organization)
    linked.store(message(ANA, body="Oi"))
    sent = linked.send()
    stored = media_files.save([FILE], 1000)
    Message.objects.filter(pk=sent.pk).update(
        media=Media.objects.create(
            organization=organization, state="ready", size=stored.size, stored_as=stored.name
        )
    )
    key = {"key_hash": "a", "body_hash": "b", "message": sent}
    IdempotencyKey.objects.create(organization=organization, **key)
    HandledId.objects.create(organization=organization, whatsapp_id="H1")
    HistoryId.objects.create(organization=organization, whatsapp_id="H2")
    EarlyReceipt.objects.create(
        organization=organization, whatsapp_id="E1", state="read", at=timezone.now()
    )
    MessageDay.objects.create(organization=organization, day=timezone.localdate())
    Retention.objects.create(organization=organization, media_days=7)
    _fill_webhooks(organization)
    OrganizationProxy.objects.create(
        organization=organization, name="br-1", scheme="http", host="proxy.example", port=3128
    )
    _fill_connection(Connection.objects.get(pk=organization.pk))
    olivia = User.objects.create(username=f"olivia {organization.pk}", is_staff=True)
    owner = Membership.Role.OWNER
    Membership.objects.create(organization=organization, user=olivia, role=owner)
    _fill_notices(organization, olivia)
    create_token(olivia, "crm", ALICE, organization=organization)
    until = timezone.now() + timedelta(days=7)
    Invitation.objects.create(
        organization=organization,
        username="nora",
        role="viewer",
        invited_by=olivia,
        expires_at=until,
    )
    return linked


def _fill_webhooks(organization: Organization) -> None:
    endpoint = Endpoint.objects.create(
        organization=organization, url="https://example.com/x", host="example.com", secret="s"
    )
    cursor = Cursor.objects.create(endpoint=endpoint, organization=organization)
    delivery = Delivery.objects.create(
        endpoint=endpoint,
        organization=organization,
        cursor=cursor,
        sequence=1,
        type="message.received",
        event_at=timezone.now(),
    )
    Attempt.objects.create(
        delivery=delivery, endpoint=endpoint, number=1, at=timezone.now(), milliseconds=5
    )


def _fill_notices(organization: Organization, user: User) -> None:
    address = Address.objects.create(user=user, kind="mail", target="o@example.com", label="o")
    Choice.objects.create(address=address, organization=organization, told=True)
    now = timezone.now()
    Trouble.objects.create(
        organization=organization, kind="connection", level=1, began_at=now, due_at=now
    )


def _fill_connection(connection: Connection) -> None:
    soon = timezone.now() + timedelta(hours=1)
    PairingAttempt.objects.create(
        connection=connection, generation=0, expires_at=soon, ended_at=timezone.now()
    )
    ConnectionEvent.objects.create(
        connection=connection,
        observation="linked",
        state_before="connecting",
        state="connected",
        reason="linked",
    )
    OwnerLink.objects.create(connection=connection, secret_hash=str(connection.pk), expires_at=soon)
    SelfTest.objects.create(connection=connection, number="1", expires_at=soon)
    run = BulkRun.objects.create(action=BulkRun.Action.RECONNECT)
    BulkItem.objects.create(run=run, connection=connection)


def end_logout(organization_id: int, confirmed: bool = True) -> None:
    """Record that the connection's worker has logged out and deleted the credentials."""
    reason = Reason.DISCONNECTED if confirmed else Reason.DISCONNECTED_UNCONFIRMED
    fence = Fence.of(Connection.objects.get(pk=organization_id))
    connection_actions.forget_credentials(fence, reason)


def age(organization: Organization, days: float) -> None:
    """Make all that an organization has so many days older."""
    then = timezone.now() - timedelta(days=days)
    Message.objects.filter(organization=organization).update(created_at=then)
    Media.objects.filter(organization=organization).update(created_at=then)
    Delivery.objects.filter(organization=organization).update(ended_at=then)
    ConnectionEvent.objects.filter(connection=organization.pk).update(at=then)
    PairingAttempt.objects.filter(connection=organization.pk).update(ended_at=then)


def owning_models() -> Iterator[tuple[type[Model], str]]:
    """Yield each model with a reference to an organization or its connection, and its field."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.related_model in (Organization, Connection) and model is not AuditEntry:
                yield model, field.name


def rows_left(organization_id: int) -> dict[str, int]:
    """Return how many rows of an organization there are, by model, where there are any."""
    found: dict[str, int] = {}
    for model, field in owning_models():
        rows: Any = model._base_manager.filter(**{field: organization_id})
        if count := rows.count():
            found[model.__name__] = count
    return found


def stored_files() -> list[str]:
    """Return the names of all stored files."""
    storage = media_files.storage()
    try:
        folders, _ = storage.listdir("")
    except FileNotFoundError:
        return []
    return [f"{folder}/{name}" for folder in folders for name in storage.listdir(folder)[1]]


def tokens_of(organization: Organization) -> list[ApiToken]:
    return list(ApiToken.objects.filter(organization=organization))
