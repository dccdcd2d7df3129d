"""Messages as rows, for tests of what reads them."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection

from messaging.actions import contacts
from messaging.actions.contacts import Address
from messaging.models import Message
from organizations.encryption import EncryptedJSONField
from organizations.models import Organization

State, Direction = Message.State, Message.Direction

ANA = "5511976543210"


def make_message(
    organization: Organization,
    text: str = "Olá",
    *,
    state: str = State.RECEIVED,
    number: str = ANA,
    name: str = "",
    **fields: Any,
) -> Message:
    """Return a message of this organization; it came in, unless its state or `fields` say else."""
    contact = contacts.find_or_create(organization.pk, Address(number=number))
    if name:
        contact.name = name
        contact.save(update_fields=["name"])
    incoming = state in (State.RECEIVED, State.UNREADABLE, State.LOST)
    defaults = {
        "direction": Direction.IN if incoming else Direction.OUT,
        "type": "text",
        "content": {fields.get("type", "text"): {"body": text}, "context": None},
        "state": state,
    }
    return Message.objects.create(organization=organization, contact=contact, **defaults | fields)


def lose_key(organization_id: int, *names: str) -> None:
    """Let the encrypted values of an organization need a key that is gone; of all models, or some.

    `names`: of the models.
    """
    for model in apps.get_models():
        columns = [field.attname for field in model._meta.concrete_fields]
        if "organization_id" not in columns or (names and model.__name__ not in names):
            continue
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedJSONField):
                with connection.cursor() as cursor:
                    cursor.execute(
                        f"UPDATE {model._meta.db_table} SET {field.column} = 'gone:xxx'"
                        f" WHERE organization_id = %s AND {field.column} IS NOT NULL",
                        [organization_id],
                    )
